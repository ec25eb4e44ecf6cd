import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { parseStrictJson } from '../base/strict-json.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';

/** Largest values file: a thousand variables of a kilobyte. */
const MAX_VALUES_BYTES = 1024 * 1024;

/**
 * Reads a values file (`--values`).
 *
 * @throws {@link OperationalError} USAGE if it is not there; VALUE_INVALID if it is malformed
 */
export async function loadValuesFile(path: string): Promise<ReadonlyMap<string, string>> {
  try {
    return parseValues(await readFileBounded(path, { maxBytes: MAX_VALUES_BYTES }), quote(path));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) {
      throw new OperationalError('USAGE', `--values: there is no file ${quote(path)}`, {
        cause: error,
      });
    }
    throw error;
  }
}

/**
 * Parses values: a JSON object of strings, numbers and booleans, or lines `KEY=VALUE` where the value goes to the end of
 * the line as it stands, and empty lines and `#` lines are passed over.
 */
export function parseValues(content: Uint8Array, what: string): ReadonlyMap<string, string> {
  const text = new TextDecoder('utf-8').decode(content);
  return /^\s*\{/.test(text) ? parseJsonValues(content, what) : parseLines(text, what);
}

function parseJsonValues(content: Uint8Array, what: string): ReadonlyMap<string, string> {
  const document = parseStrictJson(content, { what, maxDepth: 1 }) as Readonly<
    Record<string, unknown>
  >;
  return new Map(
    Object.entries(document).map(([key, value]) => {
      if (typeof value === 'string') return [key, value];
      if (typeof value === 'number' || typeof value === 'boolean') return [key, String(value)];
      throw new OperationalError(
        'VALUE_INVALID',
        `${what}: the value of ${quote(key)} is not a string, number or boolean`,
      );
    }),
  );
}

function parseLines(text: string, what: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  text.split(/\r?\n/).forEach((line, index) => {
    if (/^\s*(?:#|$)/.test(line)) return;
    const match = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line);
    if (match === null) {
      throw new OperationalError(
        'VALUE_INVALID',
        `${what}: line ${index + 1} is not KEY=VALUE: ${quote(line)}`,
      );
    }
    values.set(match[1] ?? '', match[2] ?? '');
  });
  return values;
}
