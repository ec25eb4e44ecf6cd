import { runInNewContext } from 'node:vm';

import { quote } from '../base/escape-text.js';
import type { JsonValue } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';
import { ManifestReader } from './manifest-reader.js';
import type { TypedValue } from './values.js';

/** The types that a variable may be declared with. */
export const VARIABLE_TYPES = ['string', 'integer', 'number', 'boolean', 'path', 'list'] as const;

/** One of {@link VARIABLE_TYPES}; `list` is written comma-separated and is a list of strings in Handlebars and JSON. */
export type VariableType = (typeof VARIABLE_TYPES)[number];

/** What the author of an image says of a variable (`variables.NAME` of `/exports/manifest.json`). */
export interface VariableDeclaration {
  readonly type: VariableType;
  readonly default: string | undefined;
  /** The only texts allowed; empty where any is. */
  readonly enum: readonly string[];
  /** A regular expression that the whole text has to match. */
  readonly pattern: RegExp | undefined;
  /** Whether it must be given even where no template in use has it. */
  readonly required: boolean;
  /** Never written into a text, a record or a command line: the container gets it as a credential of its service. */
  readonly secret: boolean;
  readonly description: string | undefined;
}

/** A pattern that backtracks takes exponential time on a value that its author chose as the default, or the user did not. */
const MAX_PATTERN_LENGTH = 200;
const MAX_PATTERN_VALUE_LENGTH = 1024;
const PATTERN_TIMEOUT_MS = 250;

/** Reads the `variables` member. */
export function parseVariables(manifest: ManifestReader): ReadonlyMap<string, VariableDeclaration> {
  const variables = new Map<string, VariableDeclaration>();
  for (const [name, value] of manifest.objectEntries('variables')) {
    const path = `variables.${name}`;
    if (!/^[_A-Za-z][_A-Za-z0-9]{0,127}$/.test(name)) {
      manifest.fail('variables', `${quote(name)} is not a variable name`);
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return manifest.fail(path, 'expected an object');
    }
    variables.set(
      name,
      parseDeclaration(
        name,
        new ManifestReader(value as Readonly<Record<string, JsonValue>>, `${path}.`),
      ),
    );
  }
  return variables;
}

function parseDeclaration(name: string, reader: ManifestReader): VariableDeclaration {
  const typeName = reader.string('type') ?? 'string';
  const type = VARIABLE_TYPES.find((known) => known === typeName);
  if (type === undefined) {
    return reader.fail(
      'type',
      `expected one of ${VARIABLE_TYPES.join(', ')}, got ${quote(typeName)}`,
    );
  }
  const declaration: VariableDeclaration = {
    type,
    default: readDefault(reader),
    enum: reader.stringList('enum'),
    pattern: readPattern(reader),
    required: reader.boolean('required', false),
    secret: reader.boolean('secret', false),
    description: reader.string('description'),
  };
  if (declaration.default !== undefined) {
    if (declaration.secret) {
      reader.fail('default', 'a secret has none: whoever has the image would have it');
    }
    const problem = findValueProblem(declaration, declaration.default);
    if (problem !== undefined) reader.fail('default', `cannot be the value of ${name}: ${problem}`);
  }
  return declaration;
}

function readDefault(reader: ManifestReader): string | undefined {
  const value = reader.get('default');
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return reader.stringList('default').join(',');
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return String(value);
  }
  return reader.fail('default', 'expected a string, a number, a boolean or a list of strings');
}

function readPattern(reader: ManifestReader): RegExp | undefined {
  const source = reader.string('pattern');
  if (source === undefined) return undefined;
  if (source.length > MAX_PATTERN_LENGTH) {
    reader.fail('pattern', `longer than ${MAX_PATTERN_LENGTH} characters`);
  }
  try {
    return new RegExp(`^(?:${source})$`, 'u');
  } catch {
    return reader.fail('pattern', `${quote(source)} is not a regular expression`);
  }
}

/** Why a text cannot be a value of the variable, or undefined. */
export function findValueProblem(
  declaration: VariableDeclaration,
  text: string,
): string | undefined {
  const shown = declaration.secret ? 'something else' : quote(text);
  const expected = findTypeProblem(declaration.type, text);
  if (expected !== undefined) return `expected ${expected}, got ${shown}`;
  if (declaration.enum.length > 0 && !declaration.enum.includes(text)) {
    return `expected one of ${declaration.enum.map(quote).join(', ')}, got ${shown}`;
  }
  if (declaration.pattern !== undefined) {
    if (text.length > MAX_PATTERN_VALUE_LENGTH)
      return `longer than ${MAX_PATTERN_VALUE_LENGTH} characters`;
    const matches = matchInTime(declaration.pattern, text);
    if (matches !== true) {
      const what = declaration.secret ? 'it' : quote(text);
      const how = matches === undefined ? 'cannot be matched in time with' : 'does not match';
      return `${what} ${how} ${quote(declaration.pattern.source)}`;
    }
  }
  return undefined;
}

/** Undefined where it takes too long. */
function matchInTime(pattern: RegExp, text: string): boolean | undefined {
  try {
    return runInNewContext(
      'pattern.test(text)',
      { pattern, text },
      { timeout: PATTERN_TIMEOUT_MS },
    ) as boolean;
  } catch (error) {
    // Made in the other context, it is no Error of ours.
    if ((error as { readonly code?: unknown }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    return undefined;
  }
}

/**
 * The typed form of a text that {@link findValueProblem} let through; without a declaration it is the text.
 */
export function typeValue(declaration: VariableDeclaration | undefined, text: string): TypedValue {
  switch (declaration?.type) {
    case 'integer':
    case 'number':
      return Number(text);
    case 'boolean':
      return text === 'true';
    case 'list':
      return text === '' ? [] : text.split(',').map((item) => item.trim());
    case 'string':
    case 'path':
    case undefined:
      return text;
  }
}

/** What was expected; undefined where the text is that. */
function findTypeProblem(type: VariableType, text: string): string | undefined {
  switch (type) {
    case 'integer':
      return /^-?\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))
        ? undefined
        : 'a whole number';
    case 'number':
      return /^-?\d{1,16}(?:\.\d{1,16})?$/.test(text) ? undefined : 'a number';
    case 'boolean':
      return text === 'true' || text === 'false' ? undefined : 'true or false';
    case 'path':
      return text.startsWith('/') && !text.split('/').includes('..')
        ? undefined
        : "an absolute path without '..'";
    case 'string':
    case 'list':
      return undefined;
  }
}

/** The error for a value that its declaration does not allow. */
export function valueError(name: string, problem: string): OperationalError {
  return new OperationalError('VALUE_INVALID', `value of ${name} cannot be used: ${problem}`);
}

/**
 * Refuses a secret where its text would stand in a file.
 *
 * @throws {@link OperationalError} TEMPLATE_INVALID
 */
export function refuseSecret(
  templateName: string,
  part: { readonly name: string; readonly value: { readonly secret: boolean } },
): void {
  if (!part.value.secret) return;
  throw new OperationalError(
    'TEMPLATE_INVALID',
    `${templateName} cannot be rendered: ${part.name} is a secret and may not stand in it`,
    {
      hint: `the container finds it at $CREDENTIALS_DIRECTORY/${part.name}; in a string of config.json ${part.name} stands for that path`,
    },
  );
}
