import { constants } from 'node:fs';
import { chmod, copyFile, link, mkdir, open, readlink, symlink, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { syncFolder, temporaryNameBeside } from '../base/atomic-file.js';
import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { DeployedFile } from './deployment.js';
import { compareFile } from './file-state.js';
import { withPinnedPath } from './pinned-directory.js';

/**
 * Puts the files of a deployment onto the host, in order (folders first). A file appears whole or not at all, and only
 * where nothing stands; one that is there already and the same is left (so the same call finishes an interrupted one).
 * Durable when it returns.
 *
 * @throws {@link OperationalError} HOST_FILE_EXISTS if something else stands there; what was placed before stays, and the
 * caller undoes it
 */
export async function placeFiles(
  paths: HostPaths,
  deploymentDirectory: string,
  files: readonly DeployedFile[],
): Promise<void> {
  const touched = new Set<string>();
  for (const file of files) {
    const target = paths.onDisk(file.path);
    if (file.kind === 'directory') {
      if (await makeFolder(target, file.mode)) touched.add(dirname(target));
      continue;
    }
    const state = await compareFile(target, file);
    if (state === 'same') continue;
    if (state === 'changed') throw existsAlready(file.path);
    await placeOne(target, { file, base: paths.onDisk(deploymentDirectory) });
    touched.add(dirname(target));
  }
  for (const folder of touched) await syncFolder(folder);
}

async function placeOne(target: string, from: Source): Promise<void> {
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
    await link(temporary, target); // link, not rename: it refuses where something stands
    await unlink(temporary); // or nobody would ever remove it
  } catch (error) {
    await unlink(temporary).catch(() => undefined); // missing if its creation failed; the first error counts
    if (isErrno(error, 'EEXIST')) throw existsAlready(from.file.path);
    throw error;
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

async function makeFolder(target: string, mode: number): Promise<boolean> {
  try {
    await mkdir(target, { mode });
    await chmod(target, mode); // whatever the umask is
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
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
