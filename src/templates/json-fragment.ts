import { parseStrictJson, type JsonValue } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';
import type { JsonContext } from './json-scanner.js';

/**
 * Why a text cannot stand for whole items of its container, or undefined. Parsed for itself, between the brackets of its
 * container, so a fragment that closes a bracket of the template and opens another does not pass.
 */
export function readFragment(text: string, context: JsonContext): string | undefined {
  const items = text
    .replace(/^[ \t\r\n]*(?:,[ \t\r\n]*)?/, '')
    .replace(/[ \t\r\n]*(?:,[ \t\r\n]*)?$/, '');
  switch (context) {
    case 'document':
      return text.trim() === '' ? undefined : 'it stands outside of the document';
    case 'array':
      if (items === '') return undefined;
      return isJson(`[${items}\n]`) ? undefined : 'it is not a list of whole JSON items';
    case 'object':
      if (items === '') return undefined;
      return isJson(`{${items}\n}`) ? undefined : 'it is not a list of whole JSON members';
    case 'member-value': {
      const value = parse(text);
      if (value === undefined || !isScalarOrList(value)) {
        return 'it is not a JSON number, string, boolean, null, or list of these';
      }
      return undefined;
    }
  }
}

function isJson(text: string): boolean {
  return parse(text) !== undefined;
}

function parse(text: string): JsonValue | undefined {
  try {
    return parseStrictJson(text, { what: 'a fragment' });
  } catch (error) {
    if (error instanceof OperationalError) return undefined;
    throw error;
  }
}

function isScalarOrList(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Array.isArray(value) && value.every((item) => typeof item !== 'object' || item === null);
}
