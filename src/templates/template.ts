import { OperationalError } from '../errors/operational-error.js';
import type { ResolvedValue, Values } from './values.js';

/**
 * Templates of an image, in two dialects with one outcome: a list of parts, text that the template's author wrote and
 * values that came from elsewhere. The two are never mixed before the renderer of the target format has looked at where
 * each value stands, so a value cannot become syntax: a unit line (`render-unit.ts`), a tmpfiles field
 * (`render-tmpfiles.ts`), a JSON string or item (`render-config.ts`).
 *
 * Substitution is one pass: what looks like a placeholder inside a value stays what it is.
 */
export interface Template {
  /** File name, for messages: `service.template`. */
  readonly name: string;
  /** Names of the variables it uses, in order of first use. */
  readonly variables: readonly string[];
  /** Whether `NAME` is used. */
  uses(name: string): boolean;
  /** Puts the values in. Every variable in use must be there: {@link resolveValues} has seen to that. */
  expand(values: Values): readonly TemplatePart[];
}

/** A piece of an expanded template. */
export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'value';
      /** Of the variable, for messages. */
      readonly name: string;
      readonly value: ResolvedValue;
      readonly form: ValueForm;
    };

/**
 * How the template asked for the value: as it stands (each format then escapes it for its place), as a JSON value of its
 * type, or as one quoted word of a unit line.
 */
export type ValueForm = 'plain' | 'json' | 'unit-quoted';

/** Published templates are below 20 KiB; a megabyte is what systemd takes as the longest line. */
const MAX_TEMPLATE_BYTES = 1_048_576;

/**
 * The text of a file of `/exports`: UTF-8, no byte order mark, no NUL, no lone carriage return (a line end for systemd,
 * none for the reader of the template), at most 1 MiB.
 */
export function decodeTemplate(name: string, content: string | Uint8Array): string {
  if (content.length > MAX_TEMPLATE_BYTES) {
    throw new OperationalError(
      'LIMIT_EXCEEDED',
      `${name} is larger than ${MAX_TEMPLATE_BYTES} bytes, refusing to read it`,
    );
  }
  const text = (typeof content === 'string' ? content : decodeUtf8(name, content)).replaceAll(
    '\r\n',
    '\n',
  );
  const strange = /[\u0000-\u0008\u000b-\u001f\u007f\ufeff\ufdd0-\ufddf]/.exec(text);
  if (strange !== null) {
    const code = strange[0].charCodeAt(0).toString(16).padStart(4, '0');
    throw templateError(name, {
      text,
      index: strange.index,
      problem: `character U+${code.toUpperCase()} has no place in a template`,
    });
  }
  return text;
}

/** The error for a place in a template, with line and column (1-based) as Python's `string.Template` counts them. */
export function templateError(
  name: string,
  place: { readonly text: string; readonly index: number; readonly problem: string },
): OperationalError {
  const before = place.text.slice(0, place.index);
  const line = before.split('\n').length;
  const column = place.index - before.lastIndexOf('\n');
  return new OperationalError(
    'TEMPLATE_INVALID',
    `${name} cannot be rendered: ${place.problem} (line ${line}, col ${column})`,
  );
}

function decodeUtf8(name: string, content: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch (cause) {
    throw new OperationalError('TEMPLATE_INVALID', `${name} is not UTF-8 text`, { cause });
  }
}
