import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';

/** A row of a listing, as filters see it. */
export type FilterableRow = object;

/** The keys that `--filter` takes, and the members of a row that they mean. */
export type FilterKeys = Readonly<Record<string, string>>;

/**
 * Parses `--filter key=value` arguments into predicates: the row's member has to contain the value. `members`
 * has the keys that are taken, and the members that they mean.
 *
 * @throws {@link OperationalError} USAGE for another key or a missing `=`
 */
export function parseFilters(
  args: readonly string[],
  members: FilterKeys,
): readonly ((row: FilterableRow) => boolean)[] {
  return args.map((arg) => {
    const { key, value } = splitFilter(arg);
    if (!Object.hasOwn(members, key)) {
      throw new OperationalError(
        'USAGE',
        `--filter ${quote(arg)}: expected ${Object.keys(members).join('=, ')}= and a value`,
      );
    }
    return (row) => {
      const member = (row as Readonly<Record<string, unknown>>)[members[key] ?? key];
      return typeof member === 'string' && member.includes(value);
    };
  });
}

/** What filters that {@link parseFilters} took ask of one member. */
export function soughtIn(
  args: readonly string[],
  members: FilterKeys,
  member: string,
): readonly string[] {
  return args
    .map(splitFilter)
    .flatMap(({ key, value }) => (members[key] === member ? [value] : []));
}

function splitFilter(arg: string): { readonly key: string; readonly value: string } {
  const equals = arg.indexOf('=');
  return { key: arg.slice(0, Math.max(0, equals)), value: arg.slice(equals + 1) };
}
