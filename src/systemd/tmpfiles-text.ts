import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';

/** One line of a tmpfiles.d file, its fields unquoted. */
export interface TmpfilesEntry {
  /** The letter, without modifiers. */
  readonly type: string;
  /** `+`, `!`, `-`, `=`, `~`, `^`, `$`, `?` as they stand. */
  readonly modifiers: string;
  /** Absolute, normalised, specifiers of fixed directories filled in; may hold wildcards where the type takes them. */
  readonly path: string;
  readonly mode: string;
  readonly user: string;
  readonly group: string;
  readonly age: string;
  readonly argument: string;
  /** 1-based. */
  readonly line: number;
  readonly raw: string;
}

/** Published files have at most ten lines. */
const MAX_LINES = 1_000;
const MAX_LINE_LENGTH = 65_536;

/** Specifiers that mean the same on every host in system mode (tmpfiles.d(5), "Specifiers"). */
const FIXED_SPECIFIERS: Readonly<Record<string, string>> = {
  '%': '%',
  t: '/run',
  S: '/var/lib',
  C: '/var/cache',
  L: '/var/log',
  T: '/tmp',
  V: '/var/tmp',
};

/**
 * Parses a tmpfiles.d file as systemd-tmpfiles reads it (src/tmpfiles/tmpfiles.c, `parse_line`): fields with quotes, the
 * argument as it stands. Escapes are taken only where 252 and later versions mean the same by them. `/var/run` is `/run`.
 *
 * @throws {@link OperationalError} TMPFILES_INVALID
 */
export function parseTmpfiles(text: string): readonly TmpfilesEntry[] {
  const lines = text.split('\n');
  if (lines.length > MAX_LINES) {
    throw new OperationalError(
      'TMPFILES_INVALID',
      `the tmpfiles have more than ${MAX_LINES} lines`,
    );
  }
  return lines.flatMap((raw, index) => {
    const trimmed = raw.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return [];
    return [parseLine(raw, index + 1)];
  });
}

function parseLine(raw: string, line: number): TmpfilesEntry {
  const fail = (problem: string): never => {
    throw new OperationalError(
      'TMPFILES_INVALID',
      `tmpfiles line ${line} (${quote(raw.trim())}) is malformed: ${problem}`,
    );
  };
  if (raw.length > MAX_LINE_LENGTH) fail('it is too long');
  if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(raw)) fail('it has a control character');
  const { fields, rest } = splitFields(raw, fail);
  const [action = '', path = '', mode = '-', user = '-', group = '-', age = '-'] = fields;
  const match = /^([a-zA-Z])([-+!=~^$?]*)$/.exec(action);
  if (match === null) return fail(`${quote(action)} is no type`);
  if (path === '') fail('it has no path');
  if (mode !== '-' && !/^[~:]{0,2}[0-7]{3,5}$/.test(mode)) fail(`${quote(mode)} is no mode`);
  return {
    type: match[1] ?? '',
    modifiers: match[2] ?? '',
    path: normalizePath(path, fail),
    mode,
    user: user.replace(/^:/, ''),
    group: group.replace(/^:/, ''),
    age,
    argument: rest,
    line,
    raw,
  };
}

function splitFields(
  raw: string,
  fail: (problem: string) => never,
): { readonly fields: readonly string[]; readonly rest: string } {
  const fields: string[] = [];
  let position = 0;
  while (fields.length < 6) {
    while (/[ \t]/.test(raw.charAt(position))) position += 1;
    if (position >= raw.length) break;
    const word = /(?:[^\s"'\\]|\\["'\\]|"(?:[^"\\]|\\["'\\])*"|'(?:[^'\\]|\\["'\\])*')+/y;
    word.lastIndex = position;
    const found = word.exec(raw)?.[0];
    if (found === undefined || /[^ \t]/.test(raw.charAt(position + found.length))) {
      return fail('a quote is open, or an escape that not every systemd reads alike');
    }
    fields.push(unquote(found));
    position += found.length;
  }
  return { fields, rest: raw.slice(position).trim() };
}

function unquote(word: string): string {
  let quoteMark: string | undefined;
  let text = '';
  for (const [token] of word.matchAll(/\\.|[^]/gu)) {
    if (token.startsWith('\\')) text += token.slice(1);
    else if (token === quoteMark) quoteMark = undefined;
    else if (quoteMark === undefined && (token === '"' || token === "'")) quoteMark = token;
    else text += token;
  }
  return text;
}

function normalizePath(path: string, fail: (problem: string) => never): string {
  const expanded = path.replace(/%(.?)/g, (whole, letter: string) =>
    Object.hasOwn(FIXED_SPECIFIERS, letter)
      ? (FIXED_SPECIFIERS[letter] ?? '')
      : fail(`the specifier ${quote(whole)} is not taken`),
  );
  if (!expanded.startsWith('/')) fail(`${quote(path)} is not absolute`);
  const components = expanded
    .split('/')
    .filter((component) => component !== '' && component !== '.');
  if (components.includes('..')) fail(`${quote(path)} has '..' in it`);
  const normalized = `/${components.join('/')}`;
  // /var/run has been a link to /run for as long as there is systemd.
  return normalized === '/var/run' || normalized.startsWith('/var/run/')
    ? normalized.slice(4)
    : normalized;
}
