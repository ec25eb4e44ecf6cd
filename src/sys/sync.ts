import { closeSync, constants, openSync } from 'node:fs';

import { loadKoffi, lastError } from './libc.js';

type AsyncCall = (fd: number, done: (error: Error | null, result: number) => void) => void;

let nativeSyncfs: { readonly async: AsyncCall } | undefined;

/**
 * Makes durable what was written to the file system that holds `path`: syncfs(2), in the thread pool, since it may take
 * long. An error means that data may be lost already: throw away what was written, do not try again.
 */
export async function syncFileSystemOf(path: string): Promise<void> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await syncFileSystem(fd);
  } finally {
    closeSync(fd);
  }
}

/** {@link syncFileSystemOf} by an open descriptor. */
export function syncFileSystem(fd: number): Promise<void> {
  nativeSyncfs ??= loadKoffi().load(null).func('int syncfs(int fd)') as unknown as {
    readonly async: AsyncCall;
  };
  const call = nativeSyncfs;
  return new Promise((resolve, reject) => {
    call.async(fd, (error, result) => {
      if (error !== null) reject(error);
      else if (result < 0) reject(lastError('syncfs'));
      else resolve();
    });
  });
}
