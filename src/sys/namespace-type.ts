import { closeSync, constants, openSync } from 'node:fs';

import { bindLibc, lastError } from './libc.js';

const nativeIoctl = bindLibc('int ioctl(int fd, unsigned long request)');

/** ioctl_ns(2): gives the CLONE_NEW* flag of a namespace. */
const NS_GET_NSTYPE = 0xb703;

/** How other files answer. */
const NO_NAMESPACE: readonly string[] = ['ENOTTY', 'EINVAL', 'EPERM', 'EOPNOTSUPP', 'EBADF'];

/**
 * The type of the namespace that a path stands for, as its flag of clone(2); undefined if it is none. Nothing is waited
 * for, and no terminal becomes ours.
 *
 * @throws errno errors of open(2)
 */
export function namespaceType(path: string): number | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const type = nativeIoctl(fd, NS_GET_NSTYPE);
    if (type >= 0) return type;
    const error = lastError('ioctl', path);
    if (NO_NAMESPACE.includes(error.code ?? '')) return undefined;
    throw error;
  } finally {
    closeSync(fd);
  }
}
