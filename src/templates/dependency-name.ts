import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';

/** Names in one list: more than any host has services that a container could mean. */
export const MAX_DEPENDENCIES = 128;

/** UNIT_NAME_MAX of systemd, without its NUL. */
const MAX_NAME_LENGTH = 255;

/**
 * Checks a name that an image gives for another container or unit. It is written into `Requires=` and its like, where a
 * blank would begin a second name, a line break a second directive and `%` a specifier; a backslash is let through only as
 * systemd-escape(1) writes it.
 *
 * @throws {@link OperationalError} EXPORTS_INVALID
 */
export function assertDependencyName(name: string, where: string): void {
  if (
    name.length <= MAX_NAME_LENGTH &&
    /^(?:[A-Za-z0-9_:]|\\x[0-9a-f]{2})(?:[A-Za-z0-9_.:@-]|\\x[0-9a-f]{2})*$/.test(name)
  )
    return;
  throw new OperationalError(
    'EXPORTS_INVALID',
    `${where}: ${quote(name)} is not the name of a unit or container`,
  );
}
