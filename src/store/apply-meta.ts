import type { NodeMeta } from '../layer/tree.js';
import { ROOTS_META, USERS_META, type DiskMeta, type PresetMeta } from './disk-meta.js';

export type { PresetMeta } from './disk-meta.js';

/** Whether this process may give files away, set trusted attributes and make devices. */
export function isPrivileged(): boolean {
  return diskMeta().isWhole;
}

/** How what an image says of its files stands on disk, by who this process is. */
export function diskMeta(): DiskMeta {
  chosen ??= process.geteuid?.() === 0 ? ROOTS_META : USERS_META;
  return chosen;
}

/** Asked for every file, and does not change. */
let chosen: DiskMeta | undefined;

/** {@link DiskMeta.apply} for this process. */
export function applyMeta(fd: number, meta: NodeMeta, preset: PresetMeta = {}): void {
  diskMeta().apply(fd, meta, preset);
}

/** {@link DiskMeta.applyToDirectory} for this process. */
export function applyDirectoryMeta(fd: number, meta: NodeMeta, preset: PresetMeta = {}): void {
  diskMeta().applyToDirectory(fd, meta, preset);
}
