import { closeSync, constants, openSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';

import { readFileBounded } from '../base/bounded-read.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { encodeByteString } from '../layer/tree.js';
import { openInRoot } from '../sys/open-in-root.js';
import { parseTmpfiles } from '../systemd/tmpfiles-text.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';

/** Names a place without opening what is there (open(2); the same number on all of Linux that Node runs on). */
const O_PATH = 0o10000000;

/** Largest tmpfiles text that is read; published ones are below 2 KiB. */
const MAX_TMPFILES_BYTES = 1024 * 1024;

/** The paths that the tmpfiles lines of a deployment make; none where it has none. */
export async function pathsOfTmpfiles(
  host: Host,
  deployment: Deployment | undefined,
): Promise<ReadonlySet<string>> {
  const paths: string[] = [];
  for (const { role, source } of deployment?.files ?? []) {
    if (role !== 'tmpfiles') continue;
    const folder = join(
      host.paths.stateDir,
      `${deployment?.name ?? ''}.${deployment?.number ?? 0}`,
    );
    const file = host.paths.onDisk(join(folder, source));
    const text = await readFileBounded(file, { maxBytes: MAX_TMPFILES_BYTES });
    paths.push(...parseTmpfiles(text.toString('utf8')).map(({ path }) => path));
  }
  return new Set(paths);
}

/**
 * Of the paths that tmpfiles lines make, those that are not there yet or came into being with another container, with
 * their parents of that kind; parents first. They are what uninstalling may take away again: the last container does. Links that the host has on the way (`/var/run`) are resolved, inside the
 * tree of `--root`: whoever removes the paths later has to follow none.
 */
export function findPathsToCreate(
  paths: HostPaths,
  made: readonly string[],
  madeByOthers: ReadonlySet<string>,
): readonly string[] {
  const root = openSync(paths.onDisk('/'), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const missing = new Set<string>();
    for (const path of made) {
      const below: string[] = [];
      let folder = path;
      for (
        ;
        folder !== '/' && (madeByOthers.has(folder) || !isThere(root, folder));
        folder = dirname(folder)
      )
        below.unshift(folder.slice(folder.lastIndexOf('/') + 1));
      let at = resolveIn(root, folder);
      if (at === undefined) continue; // a link that leads nowhere: nothing can be made below it
      for (const part of below) {
        at = join(at, part);
        missing.add(at);
      }
    }
    return [...missing].sort();
  } finally {
    closeSync(root);
  }
}

function isThere(root: number, path: string): boolean {
  const fd = open(root, path, { nofollow: true });
  if (fd !== undefined) closeSync(fd);
  return fd !== undefined;
}

/** Where a path leads inside the root, without links; undefined where it leads nowhere. */
function resolveIn(root: number, path: string): string | undefined {
  const fd = open(root, path, { nofollow: false });
  if (fd === undefined) return undefined;
  try {
    const base = readlinkSync(`/proc/self/fd/${root}`);
    const real = readlinkSync(`/proc/self/fd/${fd}`);
    return base === '/' ? real : join('/', real.slice(base.length));
  } finally {
    closeSync(fd);
  }
}

function open(
  root: number,
  path: string,
  options: { readonly nofollow: boolean },
): number | undefined {
  try {
    return openInRoot(root, encodeByteString(path), { flags: O_PATH, ...options });
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}
