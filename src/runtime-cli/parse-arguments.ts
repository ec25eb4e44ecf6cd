import { quote } from '../base/escape-text.js';
import { lookUp } from '../base/look-up.js';
import { suggestName } from '../base/suggest-name.js';
import { OperationalError } from '../errors/operational-error.js';

/** The options of a command: whether each takes a value. Names are without hyphens; `b` and the like are short forms. */
export type OptionTable = Readonly<Record<string, 'flag' | 'value' | 'values'>>;

/** What stands on a command line. */
export interface ParsedArguments {
  /** Whether a flag is given, and not as `--flag=false`. */
  has(name: string): boolean;
  /** The last value of an option. */
  value(name: string): string | undefined;
  /** All values of an option that may stand more than once. */
  values(name: string): readonly string[];
  /** What comes after the options. */
  readonly rest: readonly string[];
}

/**
 * Parses options the way runc and its callers do: one hyphen or two, `--name value` or `--name=value`, and the first word
 * that is no option ends them, so a command to run keeps its own.
 *
 * @throws {@link OperationalError} USAGE
 */
export function parseArguments(
  words: readonly string[],
  table: OptionTable,
  aliases: Readonly<Record<string, string>> = {},
): ParsedArguments {
  const found = new Map<string, string[]>();
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '--') {
      at++;
      break;
    }
    const option = /^--?([^=]+)(?:=(.*))?$/s.exec(word);
    if (option === null || word === '-') break;
    const [, given = '', inline] = option;
    const name = lookUp(aliases, given) ?? given;
    const kind = lookUp(table, name);
    if (kind === undefined) usage(`there is no option ${quote(word)}${meant(name, table)}`);
    const value = kind === 'flag' ? (inline ?? 'true') : (inline ?? words[++at]);
    if (value === undefined) usage(`the option ${quote(word)} needs a value`);
    found.set(name, [...(found.get(name) ?? []), value]);
  }
  return {
    has: (name) => !['false', undefined].includes(found.get(name)?.at(-1)),
    value: (name) => found.get(name)?.at(-1),
    values: (name) => found.get(name) ?? [],
    rest: words.slice(at),
  };
}

function meant(name: string, table: OptionTable): string {
  const near = suggestName(name, Object.keys(table));
  return near === undefined ? '; see --help' : `; did you mean '--${near}'?`;
}

/** A whole number from 0 as an option gives it. */
export function parseCount(text: string | undefined, option: string): number {
  const number = Number(text ?? '0');
  if (!/^\d+$/.test(text ?? '0') || !Number.isSafeInteger(number)) {
    usage(`${option}: ${quote(text ?? '')} is not a number`);
  }
  return number;
}

/** Refuses a command line. */
export function usage(problem: string): never {
  throw new OperationalError('USAGE', problem);
}
