import { isErrno } from '../errors/is-errno.js';
import { bindLibc, checked, cString } from './libc.js';

const nativeUmount = bindLibc('int umount2(const void *path, int flags)');

const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

/** Takes away every mount that lies on a path of berth's own, with all that lies below, also where it is in use. */
export function unmountAll(path: string): void {
  const bytes = cString(Buffer.from(path).toString('latin1'));
  for (;;) {
    try {
      checked(nativeUmount(bytes, MNT_DETACH | UMOUNT_NOFOLLOW), 'umount2', path);
    } catch (error) {
      if (isErrno(error, 'EINVAL', 'ENOENT')) return; // nothing is mounted there (any more)
      throw error;
    }
  }
}

/**
 * umount2(2) of what lies on a path last; a link in its place is not followed.
 *
 * @throws errno errors: `EBUSY` while it is in use, `EINVAL` where nothing is mounted
 */
export function unmount(path: string): void {
  const bytes = cString(Buffer.from(path).toString('latin1'));
  checked(nativeUmount(bytes, UMOUNT_NOFOLLOW), 'umount2', path);
}
