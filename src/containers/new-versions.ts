import { closeSync } from 'node:fs';
import { basename, join } from 'node:path/posix';

import type { HostPaths } from '../config/host-paths.js';
import { OperationalError } from '../errors/operational-error.js';
import type { DeployedFile } from './deployment.js';
import { compareFile } from './file-state.js';
import { openFolderWithoutLinks } from './folder-without-links.js';
import type { Host } from './host.js';
import { withHostFiles } from './host-files-lock.js';
import { assertHostPathAllowed } from './host-path-policy.js';
import type { JournalEntry } from './journal.js';
import { ownersOfPaths, pathsThatStay } from './path-owners.js';
import { placeFiles } from './place-files.js';
import { removeFiles } from './remove-files.js';
import type { Transition } from './transition.js';
import { hostPathPolicy } from './users-places.js';

/*
 * Where an update keeps a file of the host that an administrator changed, what the image has for it now stands beside it, as
 * PATH.berth-new: dpkg and rpm do so, too (.dpkg-dist, .rpmnew). Nothing is noted of it: by the record of its deployment it is known
 * what it was, and what is still so goes when it is no use any more.
 */

const SUFFIX = '.berth-new';

/** NAME_MAX, without what stands before the name while the file is made. */
const MAX_NAME_BYTES = 255 - '.berth-tmp-0123456789ab-'.length;

/** What may stand beside files of a deployment, as it would; where a file of its own has that name, nothing. */
export function newVersionsOf(files: readonly DeployedFile[]): readonly DeployedFile[] {
  const own = new Set(files.map(({ path }) => path));
  return files
    .filter(({ role, kind }) => role === 'host-file' && kind === 'file')
    .map((file) => ({ ...file, path: `${file.path}${SUFFIX}` }))
    .filter(({ path }) => !own.has(path) && Buffer.byteLength(basename(path)) <= MAX_NAME_BYTES);
}

/**
 * Puts what the new version has for files that were kept beside them, and removes what stands there of the version before and is no
 * use any more. Gives the paths of those that are there for `kept` files. May be repeated.
 */
export async function placeNewVersions(
  host: Host,
  entry: JournalEntry,
  kept: readonly string[],
): Promise<readonly string[]> {
  const there: string[] = [];
  // The new version is well by now: who interrupts the command is too late, and everything is cleared up.
  const calm: Host = { ...host, signal: new AbortController().signal };
  for (const transition of entry.transitions) {
    const before = new Map(
      newVersionsOf(transition.from?.files ?? []).map((old) => [old.path, old]),
    );
    for (const file of newVersionsOf(transition.to?.files ?? [])) {
      const old = before.get(file.path);
      if (old === undefined) continue;
      const isKept = kept.includes(file.path.slice(0, -SUFFIX.length));
      if (await settleOne(calm, { entry, transition, old, file, isKept })) there.push(file.path);
    }
  }
  return there;
}

async function settleOne(
  host: Host,
  one: {
    readonly entry: JournalEntry;
    readonly transition: Transition;
    readonly old: DeployedFile;
    readonly file: DeployedFile;
    readonly isKept: boolean;
  },
): Promise<boolean> {
  const { entry, transition, old, file, isKept } = one;
  const { name, to } = transition;
  const isNew = old.sha256 !== file.sha256;
  // Before a version is well nothing of it stands there; what does is of the one that comes back.
  if (entry.operation === 'undo' && !isNew) return false;
  // The service runs by now, and may write in folders on the way.
  const folder = openFolderWithoutLinks(host.paths, file.path);
  if (folder === undefined) return false;
  try {
    const paths = withPinned(host.paths, file.path, `/proc/self/fd/${folder}`);
    const stands = (await compareFile(paths.onDisk(file.path), old)) === 'same';
    const isWanted =
      entry.operation === 'update' &&
      isKept &&
      (await isWantedOf(host, { name, old, file, stands }));
    if (!isWanted && !stands) return false;
    if (!isWanted) {
      await withHostFiles(host, 'remove', async () =>
        removeFiles(paths, [old], { shared: await pathsThatStay(host, name), saveChanged: false }),
      );
      return false;
    }
    if ((await ownersOfPaths(host, name)).has(file.path)) return false;
    const labels = await host.openLabels();
    const left = await withHostFiles(host, 'place', () =>
      placeFiles(paths, join(paths.stateDir, `${name}.${to?.number}`), {
        files: [file],
        previous: stands ? [old] : [],
        onForeign: 'keep',
        labels,
      }),
    );
    return left.length === 0;
  } finally {
    closeSync(folder);
  }
}

/** What of a kept file is to stand beside it; `stands` where that of the version before does. */
async function isWantedOf(
  host: Host,
  one: {
    readonly name: string;
    readonly old: DeployedFile;
    readonly file: DeployedFile;
    readonly stands: boolean;
  },
): Promise<boolean> {
  const { name, old, file, stands } = one;
  if (old.sha256 === file.sha256 && !stands) return false;
  if (!mayStand(host, name, file.path)) return false;
  // Who removed the file wants none.
  const kept = host.paths.onDisk(file.path.slice(0, -SUFFIX.length));
  return (await compareFile(kept, file)) === 'changed';
}

/** The files of an installed deployment of a container, and of the one to come. */
export interface FilesOfVersions {
  readonly name: string;
  readonly from: readonly DeployedFile[];
  readonly to: readonly DeployedFile[];
}

/** What {@link placeNewVersions} would put beside `kept` files in an update, and leave there. */
export async function planNewVersions(
  host: Host,
  { name, from, to }: FilesOfVersions,
  kept: readonly string[],
): Promise<readonly string[]> {
  const planned: string[] = [];
  const before = new Map(newVersionsOf(from).map((old) => [old.path, old]));
  for (const file of newVersionsOf(to)) {
    const { path } = file;
    const old = before.get(path);
    if (old === undefined || !kept.includes(path.slice(0, -SUFFIX.length))) continue;
    const folder = openFolderWithoutLinks(host.paths, path);
    if (folder === undefined) continue;
    closeSync(folder);
    const stands = (await compareFile(host.paths.onDisk(path), old)) === 'same';
    if (!(await isWantedOf(host, { name, old, file, stands }))) continue;
    if ((await ownersOfPaths(host, name)).has(path)) continue;
    const isForeign = !stands && (await compareFile(host.paths.onDisk(path), file)) === 'changed';
    if (!isForeign) planned.push(path);
  }
  return planned;
}

/** The places of a host, with one path in a folder that is open. */
function withPinned(paths: HostPaths, path: string, folder: string): HostPaths {
  const pinned = join(folder, basename(path));
  return { ...paths, onDisk: (other) => (other === path ? pinned : paths.onDisk(other)) };
}

/** In a guarded place programs of root may take any file for theirs: what was allowed there was the one path. */
function mayStand(host: Host, name: string, path: string): boolean {
  try {
    assertHostPathAllowed(path, hostPathPolicy(host.paths, { name, allowed: [] }));
    return true;
  } catch (error) {
    if (error instanceof OperationalError) return false;
    throw error;
  }
}
