import { loadValuesFile, readSetFiles } from '../containers/values-file.js';
import { OperationalError } from '../errors/operational-error.js';
import { parseSetArguments } from '../templates/resolve-values.js';

/** Values of variables as a command got them. */
export interface GivenValues {
  readonly setValues: ReadonlyMap<string, string>;
  readonly fileValues: ReadonlyMap<string, string>;
  /** Variables whose values stood on the command line themselves. */
  readonly inlineValues: ReadonlySet<string>;
}

/**
 * Reads the values that `--set` and `--values` give, from the files and the standard input that they name.
 *
 * @throws {@link OperationalError} USAGE, VALUE_INVALID
 */
export async function readValueOptions(options: {
  readonly set?: readonly string[];
  readonly values?: string;
}): Promise<GivenValues> {
  const given = parseSetArguments(options.set ?? []);
  if (options.values === '-' && [...given.values()].includes('@-')) {
    throw new OperationalError('USAGE', '--values and --set: standard input can be read once only');
  }
  return {
    setValues: await readSetFiles(given),
    fileValues: options.values === undefined ? new Map() : await loadValuesFile(options.values),
    inlineValues: new Set(
      [...given].filter(([, value]) => !/^@(?!@)/.test(value)).map(([name]) => name),
    ),
  };
}
