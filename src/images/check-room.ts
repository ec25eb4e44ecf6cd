import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';

import { quote } from '../base/escape-text.js';
import { formatBytes } from '../base/format-bytes.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { ImageStore } from '../store/image-store.js';
import type { PullPlan } from './prepare-pull.js';

/** What {@link checkRoom} looks at. */
export interface CheckRoomOptions {
  readonly store: Pick<ImageStore, 'findImage' | 'folder'>;
  readonly onWarning?: ((message: string) => void) | undefined;
  /** How much may be written where a folder is; asks the file system unless given. */
  readonly findRoom?: ((folder: string) => number | undefined) | undefined;
}

/**
 * Refuses a pull that cannot fit: what its missing layers have while they are compressed is the least that they need. A layer of
 * which an earlier version is in the store may need less, since files are kept once: then it is only warned of.
 *
 * @throws {@link OperationalError} DISK_FULL
 */
export async function checkRoom(plan: PullPlan, options: CheckRoomOptions): Promise<void> {
  const { store } = options;
  const room = (options.findRoom ?? findRoom)(store.folder);
  if (room === undefined || room >= plan.bytesToFetch) return;
  const layers = new Set(plan.layers.filter((layer) => !layer.present).map((one) => one.diffId));
  const what = layers.size === 1 ? 'a layer' : `${layers.size} layers`;
  const message = `${quote(plan.storeName)} needs more than ${formatBytes(plan.bytesToFetch)} for ${what}, and where ${quote(store.folder)} is ${formatBytes(room)} are free`;
  if ((await store.findImage(plan.storeName)) !== undefined) {
    options.onWarning?.(`${message}: it fits only if it has most files of the version before`);
    return;
  }
  throw new OperationalError('DISK_FULL', message, {
    hint: `'berth images prune' frees what no image needs, df -h ${store.folder} shows what is left; BERTH_CHECK_SPACE=false tries it all the same`,
  });
}

/** What this process may write to the file system that a folder is on, or is to be made on; undefined where that does not say. */
function findRoom(folder: string): number | undefined {
  try {
    const { blocks, bfree, bavail, bsize } = statfsSync(folder);
    // A tmpfs without a limit, and some file systems of the network, have no blocks at all.
    if (blocks === 0) return undefined;
    return bsize * (process.geteuid?.() === 0 ? bfree : bavail);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR') && dirname(folder) !== folder)
      return findRoom(dirname(folder));
    // What is wrong with the place is told by whoever writes there.
    return undefined;
  }
}
