import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';

/** A row of a listing, as filters see it. */
export type FilterableRow = object;

/**
 * Parses `--filter key=value` arguments into predicates: the row's member has to contain the value.
 *
 * @throws {@link OperationalError} USAGE for another key or a missing `=`
 */
export function parseFilters(
  args: readonly string[],
  keys: readonly string[],
): readonly ((row: FilterableRow) => boolean)[] {
  return args.map((arg) => {
    const equals = arg.indexOf('=');
    const key = arg.slice(0, Math.max(0, equals));
    if (!keys.includes(key)) {
      throw new OperationalError(
        'USAGE',
        `--filter ${quote(arg)}: expected ${keys.join('=, ')}= and a value`,
      );
    }
    const value = arg.slice(equals + 1);
    return (row) => {
      const member = (row as Readonly<Record<string, unknown>>)[key];
      return typeof member === 'string' && member.includes(value);
    };
  });
}
