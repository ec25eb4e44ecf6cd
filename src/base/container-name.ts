import { OperationalError } from '../errors/operational-error.js';
import { quote } from './escape-text.js';

declare const containerNameBrand: unique symbol;

/**
 * The name of an installed container, checked: made by {@link parseContainerName} only. It is also the name of its unit
 * without `.service`, of its state directory, and a file name below several directories.
 */
export type ContainerName = string & { readonly [containerNameBrand]: true };

/** `NAME.service`, its drop-in directory and `.berth-tmp-…` beside it stay below systemd's 255 (UNIT_NAME_MAX). */
const MAX_NAME_LENGTH = 200;

/** Suffixes of unit names: `x.service` as a name would give `x.service.service`, which nobody who types it means. */
const UNIT_SUFFIX =
  /\.(?:service|socket|target|timer|path|mount|automount|swap|slice|scope|device|snapshot)$/;

/**
 * Parses the name of a container. Letters, digits, `_`, `-` and `.`; first a letter, digit or `_`. `NAME@` is a container
 * whose unit is a template: systemd starts instances of it.
 *
 * Refused with a reason each, because they would mean something else further down: `NAME.7` (the directory of NAME's
 * deployment 7), a `-` at the end (`NAME-.service.d` holds for every unit that begins with `NAME-`), `NAME@x` (an instance),
 * `berth-…` (berth's own units).
 *
 * @throws {@link OperationalError} NAME_INVALID
 */
export function parseContainerName(text: string): ContainerName {
  const problem = findProblem(text.replace(/(?<=.)@$/, ''));
  if (problem !== undefined) {
    throw new OperationalError(
      'NAME_INVALID',
      `${quote(text)} cannot name a container: ${problem}`,
      {
        hint: 'choose another name with --name NAME',
      },
    );
  }
  return text as ContainerName;
}

/** Whether the unit of a container is a template (`NAME@.service`), of which systemd starts instances. */
export function isTemplateName(name: string): boolean {
  return name.endsWith('@');
}

function findProblem(text: string): string | undefined {
  if (text === '') return 'it is empty';
  if (text.includes('@'))
    return "'@' stands before the name of an instance; the container is what stands before it, with the '@'";
  if (text.startsWith('-')) return "it begins with '-' and would be taken for an option";
  if (text.startsWith('.')) return "it begins with '.'";
  if (!/^[A-Za-z0-9_.-]*$/.test(text)) return "only letters, digits, '_', '-' and '.' are allowed";
  if (text.length > MAX_NAME_LENGTH) return `it is longer than ${MAX_NAME_LENGTH} characters`;
  if (text.endsWith('-')) return "it ends in '-': its drop-ins would hold for every unit so named";
  if (text.endsWith('.')) return "it ends in '.'";
  if (/\.\d+$/.test(text)) {
    return "it ends in '.' and a number, which is how deployments are named";
  }
  if (UNIT_SUFFIX.test(text)) return 'it ends like the name of a unit; leave that ending away';
  if (text === 'berth' || text.startsWith('berth-'))
    return "names of berth's own units are reserved";
  return undefined;
}
