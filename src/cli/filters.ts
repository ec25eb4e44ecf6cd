import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';

/** A row of a listing, as filters see it. */
export type FilterableRow = object;

/**
 * Parses `--filter key=value` arguments into predicates: the row's member has to contain the value. `members`
 * has the keys that are taken, and the members that they mean.
 *
 * @throws {@link OperationalError} USAGE for another key or a missing `=`
 */
export function parseFilters(
  args: readonly string[],
  members: Readonly<Record<string, string>>,
): readonly ((row: FilterableRow) => boolean)[] {
  return args.map((arg) => {
    const equals = arg.indexOf('=');
    const key = arg.slice(0, Math.max(0, equals));
    if (!Object.hasOwn(members, key)) {
      throw new OperationalError(
        'USAGE',
        `--filter ${quote(arg)}: expected ${Object.keys(members).join('=, ')}= and a value`,
      );
    }
    const value = arg.slice(equals + 1);
    return (row) => {
      const member = (row as Readonly<Record<string, unknown>>)[members[key] ?? key];
      return typeof member === 'string' && member.includes(value);
    };
  });
}
