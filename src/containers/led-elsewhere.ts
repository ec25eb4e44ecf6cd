import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { covers, findGuard, type HostPathPolicy } from './host-path-policy.js';

/** Where administrators have their disks, and what they moved there: a link that leads to one gives nobody anything. */
const DISKS: ReadonlySet<string> = new Set(['/home', '/media', '/mnt']);

/**
 * Checks where a path truly is, links on its way followed: a guarded place is guarded from what a link leads there, too. In a folder
 * that a container writes in, or once wrote in, be it an older version or one that is gone, any link may be its own, and root's.
 *
 * @throws {@link OperationalError} HOST_PATH_REFUSED
 */
export function assertNotLedElsewhere(
  paths: HostPaths,
  path: string,
  policy: HostPathPolicy,
): void {
  const place = placeOf(paths, path);
  if (place === undefined || place === path) return;
  if (policy.allowed.some((allowed) => covers(allowed, path))) return;
  const past = (others: readonly string[]): readonly string[] =>
    others.map((other) => placeOf(paths, other) ?? other);
  // These may have links on their ways themselves: a home that was moved.
  const allowed = past(policy.allowed);
  if (allowed.some((other) => covers(other, place))) return;
  const guard = findGuard(place, { allowed, guarded: past(policy.guarded ?? []) });
  if (guard === undefined || DISKS.has(guard.path)) return;
  throw new OperationalError(
    'HOST_PATH_REFUSED',
    `the image wants ${quote(path)} on the host, refusing: a link on its way leads to ${quote(place)}, and ${guard.path} ${guard.why}`,
    { hint: `remove the link, or allow it with '--allow-host-path ${path}'` },
  );
}

/** The path with the links on its way followed, its own not; undefined where they lead in circles, or out of the tree. */
export function placeOf(paths: HostPaths, path: string): string | undefined {
  const folder = dirname(path);
  try {
    const real = realpathSync.native(paths.onDisk(folder));
    return inTree(paths, join(real, basename(path)));
  } catch (error) {
    if (isErrno(error, 'ELOOP')) return undefined;
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES') || folder === '/') throw error;
    const above = placeOf(paths, folder);
    return above === undefined ? undefined : join(above, basename(path));
  }
}

/** A true path on the disk as the tree has it; undefined for one outside of the tree. */
export function inTree(paths: HostPaths, real: string): string | undefined {
  if (paths.root === '') return real;
  const root = realpathSync.native(paths.root);
  return covers(root, real) ? real.slice(root.length) : undefined;
}
