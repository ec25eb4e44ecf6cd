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

/** A pull that needs more than there is. */
export interface LackOfRoom {
  /** What is needed, and what is there. */
  readonly message: string;
  /** Whether it may fit all the same. */
  readonly mayFit: boolean;
}

/**
 * Refuses a pull that cannot fit, and warns of one that may not.
 *
 * @throws {@link OperationalError} DISK_FULL
 */
export async function checkRoom(plan: PullPlan, options: CheckRoomOptions): Promise<void> {
  const lack = await findLackOfRoom(plan, options);
  if (lack === undefined) return;
  if (lack.mayFit) options.onWarning?.(lack.message);
  else
    throw new OperationalError('DISK_FULL', lack.message, {
      hint: `'berth images prune' frees what no image needs, df -h ${options.store.folder} shows what is left; BERTH_CHECK_SPACE=false tries it all the same`,
    });
}

/**
 * Compares what a pull needs with what is free: what its missing layers have while they are compressed is the least. A layer of
 * which an earlier version is in the store may need less, since files are kept once.
 */
export async function findLackOfRoom(
  plan: PullPlan,
  { store, ...options }: Omit<CheckRoomOptions, 'onWarning'>,
): Promise<LackOfRoom | undefined> {
  const room = (options.findRoom ?? findRoom)(store.folder);
  if (room === undefined || room >= plan.bytesToFetch) return undefined;
  const layers = new Set(plan.layers.filter((layer) => !layer.present).map((one) => one.diffId));
  const what = layers.size === 1 ? 'a layer' : `${layers.size} layers`;
  const message = `${quote(plan.storeName)} needs more than ${formatBytes(plan.bytesToFetch)} for ${what}, and where ${quote(store.folder)} is ${formatBytes(room)} are free`;
  if ((await store.findImage(plan.storeName)) === undefined) return { message, mayFit: false };
  const whether = 'it fits only if it has most files of the version before';
  return { message: `${message}: ${whether}`, mayFit: true };
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
