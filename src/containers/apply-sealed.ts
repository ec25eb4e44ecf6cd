import { existsSync } from 'node:fs';
import { join } from 'node:path/posix';

import { readdir, unlink } from '../base/quick-files.js';
import { OperationalError } from '../errors/operational-error.js';
import { syncFileSystemOf } from '../sys/sync.js';
import type { ImageTree, MountPoint } from '../store/image-store.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { composeSealedRoot, planOf, writeSealedImage, type SealedRoot } from './sealed-root.js';

/** A sealed root as a changed config.json needs it. */
export interface AppliedSealedRoot {
  readonly record: SealedRoot;
  readonly plan: Buffer;
  /** A new image; undefined where the one that is there has all mount points. */
  readonly bytes: Buffer | undefined;
}

/**
 * The sealed root of a deployment with more mount points, and the plan that mounts it.
 *
 * @throws OperationalError CONTAINER_STATE_INVALID where it needs another, and its image is not in the store
 */
export async function applySealedRoot(
  host: Host,
  from: {
    readonly deployment: Deployment;
    readonly record: SealedRoot;
    readonly plan: Uint8Array;
    readonly mountPoints: readonly MountPoint[];
    /** Of the image, where it is in the store. */
    readonly tree: ImageTree | undefined;
  },
): Promise<AppliedSealedRoot> {
  const { deployment, record, plan, tree } = from;
  const { name } = deployment;
  const isKnown = ({ path, kind }: MountPoint): boolean =>
    record.mountPoints.some((known) => known.path === path && known.kind === kind);
  const added = from.mountPoints.filter((point) => !isKnown(point));
  if (added.length === 0)
    return { record, plan: planOf(host, { name, plan }, record), bytes: undefined };
  if (tree === undefined) {
    throw new OperationalError(
      'CONTAINER_STATE_INVALID',
      'the sealed root lacks a mount point, and the image to make another of is not in the store',
      { hint: `'berth update ${name}' fetches it` },
    );
  }
  const composed = await composeSealedRoot(host, {
    tree,
    mountPoints: [...record.mountPoints, ...added],
    sealing: record,
  });
  return { ...composed, plan: planOf(host, { name, plan }, composed.record) };
}

/** Puts the image of an applied root beside the one that is used until the change is in place. */
export async function placeSealedRoot(
  folder: string,
  { record, bytes }: AppliedSealedRoot,
): Promise<void> {
  if (bytes === undefined) return;
  const path = join(folder, record.image);
  // Left by a command that was killed: it may be cut short.
  if (existsSync(path)) await unlink(path);
  await writeSealedImage(path, bytes);
  await syncFileSystemOf(folder);
}

/** Removes the images of a deployment that no plan mounts any more. */
export async function removeOldRoots(folder: string, { image }: SealedRoot): Promise<void> {
  for (const name of await readdir(folder))
    if (/^root-[0-9a-f]+\.erofs$/.test(name) && name !== image) await unlink(join(folder, name));
}
