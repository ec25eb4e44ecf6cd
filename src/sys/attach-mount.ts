import { closeSync } from 'node:fs';

import { bindLibc, checked, cString } from './libc.js';

const nativeOpenTree = bindLibc(
  'long syscall(long number, long dirfd, const void *path, long flags)',
);
const nativeMountSetattr = bindLibc(
  'long syscall(long number, long dirfd, const void *path, long flags, const void *attributes, size_t size)',
);
const nativeMoveMount = bindLibc(
  'long syscall(long number, long from, const void *from_path, long to, const void *to_path, long flags)',
);

/* One number on every architecture each (asm-generic; 5.2, 5.2, 5.12), and no wrapper in every C library. */
const SYS_OPEN_TREE = 428;
const SYS_MOVE_MOUNT = 429;
const SYS_MOUNT_SETATTR = 442;

const AT_EMPTY_PATH = 0x1000;
const OPEN_TREE_CLONE = 0x1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;
const MS_PRIVATE = 1n << 18n;
/** `struct mount_attr`: attr_set, attr_clr, propagation, userns_fd. */
const MOUNT_ATTR_BYTES = 32;

/**
 * Mounts an open directory on another one, without what is mounted below it, and with attributes (MOUNT_ATTR_* of
 * mount_setattr(2), to set and to clear) that it has from the first moment on: nobody ever sees it writable or with working
 * set-user-ID programs. Both descriptors stay the caller's.
 *
 * @throws errno errors; `ENOSYS` before Linux 5.12
 */
export function attachMount(
  source: number,
  target: number,
  attributes: { readonly set: number; readonly clear: number },
): void {
  const here = cString('');
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
  const mount = checked(nativeOpenTree(SYS_OPEN_TREE, source, here, flags), 'open_tree');
  try {
    const change = Buffer.alloc(MOUNT_ATTR_BYTES);
    change.writeBigUInt64LE(BigInt(attributes.set), 0);
    change.writeBigUInt64LE(BigInt(attributes.clear), 8);
    change.writeBigUInt64LE(MS_PRIVATE, 16);
    checked(
      nativeMountSetattr(SYS_MOUNT_SETATTR, mount, here, AT_EMPTY_PATH, change, MOUNT_ATTR_BYTES),
      'mount_setattr',
    );
    const both = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    checked(nativeMoveMount(SYS_MOVE_MOUNT, mount, here, target, here, both), 'move_mount');
  } finally {
    closeSync(mount);
  }
}
