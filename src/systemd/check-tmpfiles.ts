import { dirname } from 'node:path';

import type { ContainerName } from '../base/container-name.js';
import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { parseTmpfiles, type TmpfilesEntry } from './tmpfiles-text.js';
import { isOwnFileInDropIn, isUnitDropInDirectory, OwnPlaces } from './tmpfiles-places.js';

/** What {@link checkTmpfiles} knows beside the text. */
export interface CheckTmpfilesOptions {
  readonly name: ContainerName;
  /** STATE_DIRECTORY, RUN_DIRECTORY, CONF_DIRECTORY, DESTDIR, HOST_UID and HOST_GID are read. */
  readonly values: ReadonlyMap<string, { readonly text: string }>;
  /** Paths of `--allow-host-path`: each allows itself and what is below it, with any type. */
  readonly allowed: readonly string[];
  /** Folders of the host that the container may write in. */
  readonly writable: readonly string[];
  /** Whether a path of the image has a link on its way, or is one: on the host that leads elsewhere. */
  readonly isLinked: (pathInImage: string) => boolean;
  /** Refuses, with a reason, a path that images may not have without being allowed it. */
  readonly assertAllowed: (path: string) => void;
}

/** What is to be said of tmpfiles lines that may be installed. */
export interface CheckedTmpfiles {
  readonly entries: readonly TmpfilesEntry[];
  /** What the lines make, in order. */
  readonly paths: readonly string[];
  readonly warnings: readonly string[];
}

/** Types by what they do, of what systemd 252 to 262 know (tmpfiles.d(5)). */
const MAKES_DIRECTORY = 'dDevqQ';
const MAKES_OTHER = 'fFwpLC';
const CHANGES = 'zZtThHaAm';
const REMOVES = 'rR';
const KEEPS = 'xX';
const DEVICES = 'bc';

/**
 * Refuses tmpfiles lines by which an image would do at every boot, as root, what it may not do to its host.
 *
 * A container may do anything below its *own* directories: `NAME`, `NAME.…` or what stands below them in the state, run,
 * configuration, log and cache directories. Elsewhere it may only have directories made (`d`, as the published images for
 * docker and kubernetes have them for `/var/lib/docker`, `/var/lib/cni`), owned by root and not writable by others, where the
 * policy for host paths lets it, and labelled anew by the policy of SELinux (as the one for cri-o does); and in the drop-in directory of another unit it may make that directory and remove a file
 * of its own name (as the one of flannel does for docker). Device nodes, writing into files that are there, links and
 * copies that lead out of its own places are refused. `--allow-host-path` opens a place for all of it.
 *
 * @throws {@link OperationalError} TMPFILES_INVALID, HOST_PATH_REFUSED
 */
export function checkTmpfiles(text: string, options: CheckTmpfilesOptions): CheckedTmpfiles {
  const entries = parseTmpfiles(text);
  const places = new OwnPlaces(options.name, options.values);
  const warnings = entries.flatMap((entry) => checkEntry(entry, places, options));
  const lent = options.writable.filter((folder) => places.has(folder));
  for (const entry of entries) {
    if (isAllowed(entry, options)) continue;
    assertNotThroughLinks(entry, entries, options);
    assertNotThroughLent(entry, lent, options);
  }
  return {
    entries,
    paths: entries
      .filter(({ type }) => `${MAKES_DIRECTORY}${MAKES_OTHER}`.includes(type) && type !== 'w')
      .map(({ path }) => path),
    warnings,
  };
}

/**
 * What a line links to or copies out of the image has the links that the image has: root's, which systemd-tmpfiles follows out of the
 * container's own places.
 */
function assertNotThroughLinks(
  entry: TmpfilesEntry,
  entries: readonly TmpfilesEntry[],
  options: CheckTmpfilesOptions,
): void {
  const above = entries.find(
    ({ type, path }) =>
      leadsThrough(path, entry.path) &&
      // A folder of root's in a copy is what a mount below it needs.
      (type === 'L' || (type === 'C' && !(entry.type === 'd' && isHarmless(entry, options)))),
  );
  if (above === undefined) return;
  throw refuse(
    entry,
    `it goes through ${quote(above.path)}, which line ${above.line} brings from the image with its links`,
    options,
  );
}

/**
 * What stands below a folder that the container writes in, it can replace by a link to anywhere. Being root's, that link is followed by
 * systemd-tmpfiles, as root, at the next boot: only the last part of a path is not. (A folder that is not in the container's own places
 * and lent all the same is shown as such, and lines below it make folders only.)
 */
function assertNotThroughLent(
  entry: TmpfilesEntry,
  lent: readonly string[],
  options: CheckTmpfilesOptions,
): void {
  if (KEEPS.includes(entry.type)) return;
  const folder = dirname(entry.path);
  const above = lent.find((source) => leadsThrough(source, folder));
  if (above === undefined) return;
  throw refuse(
    entry,
    `the container may write in ${quote(above)}, and could put a link in the place of ${quote(folder)}`,
    options,
  );
}

function isAllowed({ path }: TmpfilesEntry, { allowed }: CheckTmpfilesOptions): boolean {
  return allowed.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

/** Whether a path, which may have wildcards, is below another. */
function leadsThrough(folder: string, path: string): boolean {
  const parts = path.split('/');
  const above = folder.split('/');
  return (
    parts.length > above.length &&
    above.every((part, index) => part === parts[index] || /[*?[{]/.test(parts[index] ?? ''))
  );
}

function checkEntry(
  entry: TmpfilesEntry,
  places: OwnPlaces,
  options: CheckTmpfilesOptions,
): readonly string[] {
  const { type, path } = entry;
  const known = `${MAKES_DIRECTORY}${MAKES_OTHER}${CHANGES}${REMOVES}${KEEPS}${DEVICES}`;
  if (!known.includes(type)) throw refuse(entry, `there is no type ${quote(type)}`);
  if ((modeBits(entry.mode) & 0o6000) !== 0) {
    throw refuse(entry, 'a mode with set-user-ID or set-group-ID');
  }
  if (options.allowed.some((allowed) => path === allowed || path.startsWith(`${allowed}/`))) {
    return [];
  }
  if (DEVICES.includes(type)) throw refuse(entry, 'it makes a device node', options);
  if (isUnitDropInDirectory(path) && type === 'd' && isHarmless(entry, options)) return [];
  if (type === 'r' && isOwnFileInDropIn(path, options.name)) return [];
  // Everything below /var/cache is kept from images, except what is named after the container.
  if (!path.startsWith('/var/cache/') || !places.has(path)) options.assertAllowed(path);
  if (places.has(path)) return checkOwn(entry, places, options);
  if ('zZ'.includes(type) && changesLabelsOnly(entry)) return [];
  if (type !== 'd') {
    throw refuse(
      entry,
      `${quote(type)} is for a container's own places (such as ${places.example}) only`,
      options,
    );
  }
  if (!isHarmless(entry, options)) {
    throw refuse(entry, 'outside of its own places it may make directories for root only', options);
  }
  return [];
}

/** In a place of its own a container may do anything, but what it brings there has to come from its own as well. */
function checkOwn(
  entry: TmpfilesEntry,
  places: OwnPlaces,
  options: CheckTmpfilesOptions,
): readonly string[] {
  const { type, path } = entry;
  // Of all types it alone follows a link at the end: one of the image, or of the container.
  if (type === 'w') throw refuse(entry, 'it writes wherever a link there leads', options);
  // systemd fills in specifiers there: a path that holds a '%' has two of them.
  const argument = entry.argument.replaceAll('%%', '%');
  if ('LC'.includes(type) && entry.argument.replaceAll('%%', '').includes('%'))
    throw refuse(entry, 'where it leads is said by a specifier, which is not taken there', options);
  if (type === 'L' && !places.allowsTarget(path, argument)) {
    throw refuse(entry, `the link leads to ${quote(argument)}, which is not its own`, options);
  }
  if (type === 'C' && !places.allowsSource(argument)) {
    throw refuse(entry, `the copy is of ${quote(argument)}, which is not its own`, options);
  }
  const inImage = 'LC'.includes(type) ? places.inImage(path, argument) : undefined;
  if (inImage !== undefined && options.isLinked(inImage)) {
    throw refuse(
      entry,
      `${quote(inImage)} of its image is a link, or has one on its way, which leads elsewhere on the host`,
      options,
    );
  }
  if ('DrR'.includes(type)) return [`empties or removes ${quote(path)} at every boot`];
  return [];
}

/** Root's (or the user's in user mode), and not writable by anybody else. */
function isHarmless(
  { mode, user, group }: TmpfilesEntry,
  { values }: CheckTmpfilesOptions,
): boolean {
  const ours = [values.get('HOST_UID')?.text, values.get('HOST_GID')?.text];
  const isRoots = (owner: string): boolean => ['-', '', 'root', '0', ...ours].includes(owner);
  return isRoots(user) && isRoots(group) && (modeBits(mode) & 0o022) === 0;
}

/** Without mode and owner, `z` and `Z` give a path the SELinux label that the host's own policy has for it, and nothing else. */
function changesLabelsOnly({ mode, user, group }: TmpfilesEntry): boolean {
  return [mode, user, group].every((field) => field === '-' || field === '');
}

/** The mode without what stands before it: `:` for where nothing stands yet, `~` for what bits there are (tmpfiles.d(5), "Mode"). */
function modeBits(mode: string): number {
  return mode === '-' || mode === '' ? 0o755 : Number.parseInt(mode.replace(/^[~:]+/, ''), 8);
}

function refuse(
  entry: TmpfilesEntry,
  why: string,
  options?: CheckTmpfilesOptions,
): OperationalError {
  return new OperationalError(
    'TMPFILES_INVALID',
    `refusing the tmpfiles line ${entry.line} (${quote(entry.raw.trim())}): ${why}`,
    {
      hint: options === undefined ? undefined : `allow it with '--allow-host-path ${entry.path}'`,
    },
  );
}
