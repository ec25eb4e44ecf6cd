import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

import { lstat, open, readlink } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import type { DeployedFile } from './deployment.js';

/** Some 10 ms of hashing; a multiple of what is read at a time. */
const BYTES_AT_ONCE = 16 * 1024 * 1024;

/** How a file on the host compares with what berth put there. */
export type FileState = 'missing' | 'same' | 'changed';

/** Compares what stands at a path with a deployed file: kind and content, never through a symbolic link. */
export async function compareFile(
  pathOnDisk: string,
  expected: Pick<DeployedFile, 'kind' | 'sha256'>,
): Promise<FileState> {
  try {
    return await compareThere(pathOnDisk, expected);
  } catch (error) {
    // It may go at any time: with another container that has it, too.
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return 'missing';
    throw error;
  }
}

async function compareThere(
  pathOnDisk: string,
  expected: Pick<DeployedFile, 'kind' | 'sha256'>,
): Promise<FileState> {
  const status = await lstat(pathOnDisk);
  switch (expected.kind) {
    case 'directory':
      return status.isDirectory() ? 'same' : 'changed';
    case 'symlink': {
      if (!status.isSymbolicLink()) return 'changed';
      return sha256Of(await readlink(pathOnDisk)) === expected.sha256 ? 'same' : 'changed';
    }
    case 'file':
      if (!status.isFile()) return 'changed';
      return (await sha256OfFile(pathOnDisk)) === expected.sha256 ? 'same' : 'changed';
  }
}

/** SHA-256 of text or bytes in memory, hexadecimal. */
export function sha256Of(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** SHA-256 of a regular file, hexadecimal; a symbolic link is refused (ELOOP), a FIFO does not block. */
export async function sha256OfFile(pathOnDisk: string): Promise<string> {
  const file = await open(
    pathOnDisk,
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  );
  try {
    const hash = createHash('sha256');
    // Most files are small: a large buffer for each would keep the garbage collector busier than the hash.
    const { size } = await file.stat();
    const buffer = Buffer.allocUnsafe(Math.min(262_144, size + 1));
    let hashed = 0;
    for (;;) {
      const length = file.read(buffer);
      if (length === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, length));
      hashed += length;
      // A signal is heard while a large file is read.
      if (hashed % BYTES_AT_ONCE === 0) await setImmediate();
    }
  } finally {
    await file.close();
  }
}
