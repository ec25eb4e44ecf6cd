import { constants } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { syncFolder, temporaryNameBeside } from '../base/atomic-file.js';
import { quote } from '../base/escape-text.js';
import {
  chmod,
  link,
  lstat,
  mkdir,
  open,
  readlink,
  rename,
  rmdir,
  symlink,
  unlink,
} from '../base/quick-files.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { DeployedFile } from './deployment.js';
import { compareFile } from './file-state.js';
import type { HostLabels } from './host-labels.js';
import { withPinnedPath } from './pinned-directory.js';

/** What {@link placeFiles} puts onto the host. */
export interface PlaceFilesOptions {
  /** In order: folders before what is in them. */
  readonly files: readonly DeployedFile[];
  /** What the deployment before put there; a file that is still as it did may be replaced. */
  readonly previous: readonly DeployedFile[];
  /** What to do where something stands that no deployment of this container put there. */
  readonly onForeign: 'refuse' | 'keep';
  /** What gives them their labels before they have their names. */
  readonly labels?: HostLabels | undefined;
}

/**
 * Puts the files of a deployment onto the host. A file appears whole or not at all, and one that is replaced is the old
 * or the new one at every instant. What an administrator changed or removed since stays so and is given back. A file that
 * is there already and the same is left, so the same call finishes an interrupted one. Durable when it returns.
 *
 * @throws {@link OperationalError} HOST_FILE_EXISTS if something else stands there; what was placed before stays, and the
 * caller undoes it
 */
export async function placeFiles(
  paths: HostPaths,
  deploymentDirectory: string,
  options: PlaceFilesOptions,
): Promise<readonly string[]> {
  const touched = new Set<string>();
  const kept: string[] = [];
  const previous = new Map(options.previous.map((file) => [file.path, file]));
  for (const file of options.files) {
    const target = paths.onDisk(file.path);
    const before = previous.get(file.path);
    const action = await decide(target, { file, before });
    if (action === 'leave') continue;
    if (action === 'keep' || (action === 'foreign' && options.onForeign === 'keep')) {
      kept.push(file.path);
      continue;
    }
    if (action === 'foreign') throw existsAlready(file.path);
    if (file.kind === 'directory') {
      if ((before?.kind ?? 'directory') !== 'directory') await unlinkIfThere(target);
      if (!(await makeFolder(target, file))) continue;
      options.labels?.labelAs(target, file.path);
    } else {
      if (before?.kind === 'directory') await removeFolder(target, file.path);
      const source = { file, base: paths.onDisk(deploymentDirectory), labels: options.labels };
      try {
        await placeOne(target, { ...source, replace: action === 'replace' });
      } catch (error) {
        // Its folder was replaced by something else: nothing can be put there, and taking back must come to its end.
        if (options.onForeign === 'refuse' || !isErrno(error, 'ENOTDIR', 'ENOENT')) throw error;
        kept.push(file.path);
        continue;
      }
    }
    touched.add(dirname(target));
  }
  for (const folder of touched) await syncFolder(folder);
  return kept;
}

/** What {@link placeFiles} would leave as an administrator changed it. */
export async function findChangedFiles(
  paths: HostPaths,
  { files, previous }: Pick<PlaceFilesOptions, 'files' | 'previous'>,
): Promise<readonly string[]> {
  const changed: string[] = [];
  const there = new Map(previous.map((file) => [file.path, file]));
  for (const file of files) {
    const before = there.get(file.path);
    if ((await decide(paths.onDisk(file.path), { file, before })) === 'keep')
      changed.push(file.path);
  }
  return changed;
}

/** `foreign`: nobody knows whose it is; `keep`: the administrator changed or removed what was ours. */
type Action = 'leave' | 'place' | 'replace' | 'keep' | 'foreign';

async function decide(
  target: string,
  { file, before }: { readonly file: DeployedFile; readonly before: DeployedFile | undefined },
): Promise<Action> {
  const state = await compareFile(target, file);
  if (state === 'same') {
    const hasOldMode =
      before?.kind === 'file' && before.mode !== file.mode && (await hasMode(target, before.mode));
    return file.kind === 'file' && hasOldMode ? 'replace' : 'leave';
  }
  if (before?.kind !== file.kind) {
    if (state === 'missing') return 'place';
    const isOurs = before !== undefined && (await compareFile(target, before)) === 'same';
    if (!isOurs) return 'foreign';
    return before.kind === 'directory' || file.kind === 'directory' ? 'place' : 'replace';
  }
  // A unit that was removed by hand would leave a container that cannot be started.
  if (state === 'missing')
    return file.role === 'host-file' && file.kind !== 'directory' ? 'keep' : 'place';
  return (await compareFile(target, before)) === 'same' ? 'replace' : 'keep';
}

async function hasMode(target: string, mode: number): Promise<boolean> {
  return ((await lstat(target)).mode & 0o7777) === mode;
}

async function placeOne(
  target: string,
  from: Source & { readonly labels: HostLabels | undefined; readonly replace: boolean },
): Promise<void> {
  const temporary = temporaryNameBeside(target);
  try {
    if (from.file.kind === 'symlink') {
      await symlink(await readSourceLink(from), temporary);
    } else {
      await copySourceFile(from, temporary);
      await chmod(temporary, from.file.mode);
      const file = await open(temporary, 'r');
      try {
        await file.sync();
      } finally {
        await file.close();
      }
      const state = await compareFile(temporary, from.file);
      if (state !== 'same') {
        throw new OperationalError(
          'STORE_INVALID',
          `${quote(join(from.base, from.file.source))} is not what was deployed`,
        );
      }
    }
    from.labels?.labelAs(temporary, from.file.path);
    if (from.replace) {
      await rename(temporary, target);
      return;
    }
    await link(temporary, target); // link, not rename: it refuses where something stands
    await unlink(temporary); // or nobody would ever remove it
  } catch (error) {
    await unlink(temporary).catch(() => undefined); // missing if its creation failed; the first error counts
    if (!isErrno(error, 'EEXIST')) throw error;
    // Another container that has the same file may be installed at the same time.
    if ((await compareFile(target, from.file)) !== 'same') throw existsAlready(from.file.path);
  }
}

/** A deployed file and the directory of its deployment. */
interface Source {
  readonly file: DeployedFile;
  readonly base: string;
}

async function copySourceFile(from: Source, target: string): Promise<void> {
  await withPinnedPath(from.base, from.file.source, async (pinned) => {
    const file = await open(
      pinned,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    try {
      await copyFile(
        `/proc/self/fd/${file.fd}`,
        target,
        constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE,
      );
    } finally {
      await file.close();
    }
  });
}

async function readSourceLink(from: Source): Promise<string> {
  return withPinnedPath(from.base, from.file.source, (pinned) => readlink(pinned));
}

/** Whether it was made: another container that has the same folder may be installed at the same time. */
async function makeFolder(target: string, file: DeployedFile): Promise<boolean> {
  try {
    await mkdir(target, { mode: file.mode });
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    if ((await compareFile(target, file)) !== 'same') throw existsAlready(file.path);
    return false;
  }
  await chmod(target, file.mode); // whatever the umask is
  return true;
}

async function unlinkIfThere(target: string): Promise<void> {
  try {
    await unlink(target);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** A folder that gives way to a file; what others put into it stays, and with it the folder. */
async function removeFolder(target: string, path: string): Promise<void> {
  try {
    await rmdir(target);
  } catch (error) {
    if (isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw existsAlready(path);
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

function existsAlready(path: string): OperationalError {
  return new OperationalError(
    'HOST_FILE_EXISTS',
    `${quote(path)} is there already and differs, refusing to overwrite it`,
    {
      hint: "move it away, or keep it with '--keep-existing'",
    },
  );
}
