import { fchmodSync, fchownSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { showBytes } from '../layer/show-bytes.js';
import type { NodeMeta, Xattr } from '../layer/tree.js';
import { setTimeOf } from '../sys/at.js';
import { setXattr } from '../sys/xattrs.js';

/** Whether this process may give files away, set trusted attributes and make devices. */
export function isPrivileged(): boolean {
  privileged ??= process.geteuid?.() === 0;
  return privileged;
}

/** Asked for every file, and does not change. */
let privileged: boolean | undefined;

/** What a file or directory has already of the metadata that it is to have. */
export interface PresetMeta {
  readonly owner?: boolean | undefined;
  readonly mode?: boolean | undefined;
}

/**
 * Gives an open file or directory its owner, mode, extended attributes and time, in the order in which none undoes another:
 * chown clears setuid bits and capabilities, everything changes the time of change, only the last keeps the one of
 * modification. Without root, owner and trusted attributes stay what they are: they cannot be had.
 */
export function applyMeta(fd: number, meta: NodeMeta, preset: PresetMeta = {}): void {
  const privileged = isPrivileged();
  if (privileged && preset.owner !== true) fchownSync(fd, meta.uid, meta.gid);
  if (preset.mode !== true) fchmodSync(fd, meta.mode);
  for (const xattr of meta.xattrs) {
    if (privileged || xattr.name.startsWith('user.')) setOne(fd, xattr, meta);
  }
  setTimeOf(fd, { seconds: meta.mtimeSeconds, nanoseconds: meta.mtimeNanoseconds });
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
