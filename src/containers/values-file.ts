import { readStandardInput } from '../base/standard-input.js';
import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { parseStrictJson } from '../base/strict-json.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';

/** Largest values file: a thousand variables of a kilobyte. */
const MAX_VALUES_BYTES = 1024 * 1024;

/**
 * Reads a values file (`--values`), `-` for standard input.
 *
 * @throws {@link OperationalError} USAGE if it is not there; VALUE_INVALID if it is malformed
 */
export async function loadValuesFile(path: string): Promise<ReadonlyMap<string, string>> {
  if (path === '-') {
    const content = await readStandardInput({ maxBytes: MAX_VALUES_BYTES });
    return parseValues(content, 'the values on standard input');
  }
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
        // Not the line itself: it may be part of a secret.
        `${what}: line ${index + 1} is not KEY=VALUE`,
      );
    }
    values.set(match[1] ?? '', match[2] ?? '');
  });
  return values;
}

/** Largest file for one value (`--set NAME=@FILE`): systemd takes credentials of up to a megabyte in all. */
const MAX_VALUE_BYTES = 131_072;

/**
 * Reads the values that `--set` has from elsewhere: `NAME=@FILE` is the content of a file without one line break at its
 * end, `NAME=@-` that of standard input, and `NAME=@@TEXT` the text `@TEXT`. Other values stay as they are.
 *
 * @throws {@link OperationalError} USAGE if a file is not there, or standard input is asked for twice; VALUE_INVALID if it
 *   is not UTF-8 text
 */
export async function readSetFiles(
  values: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  if ([...values.values()].filter((value) => value === '@-').length > 1) {
    throw new OperationalError('USAGE', '--set: standard input can be read once only');
  }
  const read = new Map<string, string>();
  for (const [name, value] of values) {
    if (!value.startsWith('@')) read.set(name, value);
    else if (value.startsWith('@@')) read.set(name, value.slice(1));
    else read.set(name, await readOneValue(name, value.slice(1)));
  }
  return read;
}

async function readOneValue(name: string, path: string): Promise<string> {
  const bytes = await readValueBytes(name, path);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
      .decode(bytes)
      .replace(/\r?\n$/, '');
  } catch {
    throw new OperationalError('VALUE_INVALID', `--set ${name}: ${quote(path)} is not UTF-8 text`);
  }
}

async function readValueBytes(name: string, path: string): Promise<Uint8Array> {
  if (path === '-') return readStandardInput({ maxBytes: MAX_VALUE_BYTES });
  try {
    return await readFileBounded(path, { maxBytes: MAX_VALUE_BYTES });
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) throw error;
    throw new OperationalError('USAGE', `--set ${name}: there is no file ${quote(path)}`, {
      hint: `a value that begins with '@' is written '@@'`,
      cause: error,
    });
  }
}
