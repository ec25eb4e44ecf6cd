import { posix } from 'node:path';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { RuntimeMount } from '../oci/runtime-config.js';
import type { LaunchPlanOptions } from './launch-plan.js';
import { MOUNT_ATTR, mergeAttributes, parseMountOptions } from './mount-options.js';

/** What of the host a container, or its image, has a say in. */
export interface LentFolders {
  /**
   * Sources of binds that it may write in, its root and copies out of that, whose links are its image's; none where a link leads it no further. What is
   * below them is reached without links.
   */
  readonly folders: readonly string[];
  /** Destinations that are made writable after they were bound. */
  readonly remounted: ReadonlySet<string>;
}

/**
 * The folders that the mounts of a config.json lend their container to write in. What else they bind from below one of those, the
 * container can replace by a link to anywhere, for its next start. What they bind from its root may be such a link already.
 */
export function findLentFolders(
  mounts: readonly RuntimeMount[],
  { lends, brought = [], rootfs }: Pick<LaunchPlanOptions, 'lends' | 'brought' | 'rootfs'>,
): LentFolders {
  const remounted = new Set(
    mounts
      .filter(({ options }) => parseMountOptions(options).remount && isWritable(options))
      .map(({ destination }) => placeOf(destination)),
  );
  if (lends === undefined) return { folders: [], remounted };
  const sources = mounts.flatMap(({ type, source, destination, options }, index) =>
    source !== undefined &&
    !parseMountOptions(options).remount &&
    (parseMountOptions(options).bind !== 'none' || type === 'bind' || type === 'rbind') &&
    (isWritable(options) || remounted.has(placeOf(destination)))
      ? [shortenRun(normaliseSource(source, { rootfs, at: `mounts[${index}].source` }))]
      : [],
  );
  return { folders: sources.every(lends) ? [...sources, rootfs, ...brought] : [], remounted };
}

/** The outermost lent folder that a path of the host is below; undefined where it is below none. */
export function lentAbove({ folders }: LentFolders, path: string): string | undefined {
  const above = folders.filter((folder) => shortenRun(path).startsWith(`${folder}/`));
  return above.sort((one, other) => one.length - other.length)[0];
}

/** `/var/run` is a link to `/run` wherever there is a systemd. */
export function shortenRun(path: string): string {
  return path.replace(/^\/var\/run(?=\/|$)/, '/run');
}

/**
 * The source of a bind as an absolute, normalised path of the host.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID if it has a `..`
 */
export function normaliseSource(
  source: string,
  { rootfs, at }: { readonly rootfs: string; readonly at: string },
): string {
  const path = source.startsWith('/') ? source : posix.join(posix.dirname(rootfs), source);
  if (path.split('/').includes('..')) {
    throw new OperationalError(
      'RUNTIME_CONFIG_INVALID',
      `${at}: refusing ${quote(source)}, it has a '..' component`,
    );
  }
  const normal = posix.normalize(path).replace(/^\/+/, '/');
  return normal.length > 1 ? normal.replace(/\/$/, '') : normal;
}

function isWritable(options: readonly string[]): boolean {
  return (mergeAttributes(parseMountOptions(options)).set & MOUNT_ATTR.rdonly) === 0;
}

function placeOf(destination: string): string {
  return posix.normalize(`/${destination}`).replace(/(?<=.)\/$/, '');
}
