import { join } from 'node:path';

import { quote } from '../base/escape-text.js';
import { makeFolders } from '../base/make-folders.js';
import { OperationalError } from '../errors/operational-error.js';
import { tryLock, type LockFile } from '../sys/lock-file.js';
import type { Host } from './host.js';

/**
 * Takes the lock of a name (of a container, or the label of a set) as the only one, without looking at what an earlier
 * holder left: see {@link lockAndRecover} for that.
 *
 * @throws {@link OperationalError} BUSY if another holds it
 */
export async function lockName(host: Host, name: string): Promise<LockFile> {
  await makeFolders(host.paths.onDisk(host.paths.stateDir), 0o700);
  const folder = host.paths.onDisk(host.paths.lockDir);
  await makeFolders(folder, 0o700);
  const lock = tryLock(join(folder, `${name}.lock`), 'exclusive');
  if (lock !== undefined) return lock;
  throw new OperationalError('BUSY', `another berth is changing ${quote(name)} at present`, {
    hint: 'wait for it to end, then run the command again',
  });
}
