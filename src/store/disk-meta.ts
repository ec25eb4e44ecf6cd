import { fchmodSync, fchownSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { showBytes } from '../layer/show-bytes.js';
import type { NodeMeta, SpecialNode, SymlinkNode, TreeNode, Xattr } from '../layer/tree.js';
import { chmodAt, chownAt, setTimeAt, setTimeOf } from '../sys/at.js';
import type { At } from '../sys/libc.js';
import { setXattr, setXattrAt } from '../sys/xattrs.js';

/**
 * How what an image says of its files stands on disk. The records of a store have all of it, whoever keeps the store; the files
 * have it in one of two ways, chosen once by who this process is:
 *
 * - root's have all of it ({@link ROOTS_META});
 * - a user's are the user's own ({@link USERS_META}): who owned them, set-id bits, attributes that take privileges and device
 *   nodes stand in the record alone. A set-user-ID program of an image would else be one of the user's for everybody on the
 *   host. And their owner can always read them: a file of mode 0 could not be verified, a directory of it not be removed.
 */
export interface DiskMeta {
  /** Whether all of it stands on disk. */
  readonly isWhole: boolean;
  /** The mode of something of that kind. */
  modeOf(kind: TreeNode['kind'], mode: number): number;
  /** Whether such a thing is made at all. */
  makes(kind: TreeNode['kind']): boolean;
  /**
   * Gives an open file or directory its owner, mode, extended attributes and time, in the order in which none undoes another:
   * chown clears setuid bits and capabilities, everything changes the time of change, only the last keeps the one of
   * modification.
   */
  apply(fd: number, meta: NodeMeta, preset: PresetMeta): void;
  applyToDirectory(fd: number, meta: NodeMeta, preset: PresetMeta): void;
  /** Without opening it: a device's driver would hear of it, and a FIFO wait. Just made, in a directory that is ours. */
  applyToSpecial(at: At, node: SymlinkNode | SpecialNode, preset: PresetMeta): void;
}

/** What a file or directory has already of the metadata that it is to have. */
export interface PresetMeta {
  readonly owner?: boolean | undefined;
  readonly mode?: boolean | undefined;
}

/** Of root: all is as the image says. */
export const ROOTS_META: DiskMeta = {
  isWhole: true,
  modeOf: (_, mode) => mode,
  makes: () => true,
  apply: applyWhole,
  applyToDirectory: applyWhole,
  applyToSpecial: (at, node, preset) => {
    const { meta } = node;
    if (preset.owner !== true) chownAt(at, meta.uid, meta.gid);
    if (node.kind !== 'symlink') chmodAt(at, meta.mode);
    for (const xattr of meta.xattrs) setXattrAt(at, xattr);
    setTimeAt(at, timeOf(meta));
  },
};

function applyWhole(fd: number, meta: NodeMeta, preset: PresetMeta): void {
  if (preset.owner !== true) fchownSync(fd, meta.uid, meta.gid);
  if (preset.mode !== true) fchmodSync(fd, meta.mode);
  for (const xattr of meta.xattrs) setOne(fd, xattr, meta);
  setTimeOf(fd, timeOf(meta));
}

const SET_ID = 0o6000;

/** Of a user: what a user can give, and what is safe to give. */
export const USERS_META: DiskMeta = {
  isWhole: false,
  modeOf: usersMode,
  makes: (kind) => kind !== 'character-device' && kind !== 'block-device',
  apply: (fd, meta, preset) => {
    applyUsers(fd, meta, preset.mode === true ? undefined : usersMode('file', meta.mode));
  },
  applyToDirectory: (fd, meta, preset) => {
    applyUsers(fd, meta, preset.mode === true ? undefined : usersMode('directory', meta.mode));
  },
  applyToSpecial: (at, node) => {
    if (node.kind !== 'symlink') chmodAt(at, usersMode(node.kind, node.meta.mode));
    setTimeAt(at, timeOf(node.meta));
  },
};

function usersMode(kind: TreeNode['kind'], mode: number): number {
  const owners = kind === 'directory' ? 0o700 : kind === 'file' ? 0o400 : 0;
  return (mode & ~SET_ID) | owners;
}

function applyUsers(fd: number, meta: NodeMeta, mode: number | undefined): void {
  if (mode !== undefined) fchmodSync(fd, mode);
  for (const xattr of meta.xattrs) if (xattr.name.startsWith('user.')) setOne(fd, xattr, meta);
  setTimeOf(fd, timeOf(meta));
}

function timeOf(meta: NodeMeta): Parameters<typeof setTimeOf>[1] {
  return { seconds: meta.mtimeSeconds, nanoseconds: meta.mtimeNanoseconds };
}

/** What fits beside an inode of every file system that has attributes; ext4 has one block for all of a file. */
const SMALL_XATTR_BYTES = 2048;

/** ext4 says "no space" for attributes that it has no room for, however empty the disk: not to be taken for a full one. */
function setOne(fd: number, xattr: Xattr, meta: NodeMeta): void {
  try {
    setXattr(fd, xattr);
  } catch (error) {
    const bytes = meta.xattrs.reduce((sum, { name, value }) => sum + name.length + value.length, 0);
    const tooLarge = isErrno(error, 'ENOSPC', 'E2BIG', 'ERANGE') && bytes > SMALL_XATTR_BYTES;
    if (!tooLarge && !isErrno(error, 'ENOTSUP', 'EOPNOTSUPP')) throw error;
    throw new OperationalError(
      'STORE_UNSUITABLE',
      `the file system cannot keep the extended attributes of a file of the image (${showBytes(xattr.name)}, ${bytes} bytes in all)`,
      { hint: 'XFS and btrfs keep larger ones: BERTH_STATE_DIR chooses the place', cause: error },
    );
  }
}
