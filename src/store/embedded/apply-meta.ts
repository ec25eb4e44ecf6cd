import { fchmodSync, fchownSync } from 'node:fs';

import type { NodeMeta } from '../../layer/tree.js';
import { setTimeOf } from '../../sys/at.js';
import { setXattr } from '../../sys/xattrs.js';

/** Whether this process may give files away, set trusted attributes and make devices. */
export function isPrivileged(): boolean {
  privileged ??= process.geteuid?.() === 0;
  return privileged;
}

/** Asked for every file, and does not change. */
let privileged: boolean | undefined;

/**
 * Gives an open file or directory its owner, mode, extended attributes and time, in the order in which none undoes another:
 * chown clears setuid bits and capabilities, everything changes the time of change, only the last keeps the one of
 * modification. `isOwned` says that the owner is right already. Without root, owner and trusted attributes stay what they are: they cannot be had.
 */
export function applyMeta(
  fd: number,
  meta: NodeMeta,
  options: { readonly isOwned?: boolean } = {},
): void {
  const privileged = isPrivileged();
  if (privileged && options.isOwned !== true) fchownSync(fd, meta.uid, meta.gid);
  fchmodSync(fd, meta.mode);
  for (const xattr of meta.xattrs) {
    if (privileged || xattr.name.startsWith('user.')) setXattr(fd, xattr);
  }
  setTimeOf(fd, { seconds: meta.mtimeSeconds, nanoseconds: meta.mtimeNanoseconds });
}
