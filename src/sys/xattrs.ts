import { AT_FDCWD, bindLibc, checked, cString, lastError, type At } from './libc.js';

const nativeFsetxattr = bindLibc(
  'int fsetxattr(int fd, const void *name, const void *value, size_t size, int flags)',
);
const nativeLsetxattr = bindLibc(
  'int lsetxattr(const void *path, const void *name, const void *value, size_t size, int flags)',
);
const nativeFlistxattr = bindLibc('long flistxattr(int fd, void *list, size_t size)');
const nativeLlistxattr = bindLibc('long llistxattr(const void *path, void *list, size_t size)');
const nativeFgetxattr = bindLibc(
  'long fgetxattr(int fd, const void *name, void *value, size_t size)',
);
const nativeLgetxattr = bindLibc(
  'long lgetxattr(const void *path, const void *name, void *value, size_t size)',
);

/** XATTR_LIST_MAX and XATTR_SIZE_MAX of the kernel: nothing longer can exist. */
const MAX_BYTES = 65_536;

/** One extended attribute. */
export interface XattrValue {
  /** Byte string, with its namespace. */
  readonly name: string;
  readonly value: Buffer;
}

/** Sets an attribute of an open file or directory. */
export function setXattr(fd: number, xattr: XattrValue): void {
  const { name, value } = xattr;
  checked(nativeFsetxattr(fd, cString(name), value, value.length, 0), 'fsetxattr', name);
}

/** Sets an attribute of the thing itself, links not followed. */
export function setXattrAt(at: At, xattr: XattrValue): void {
  const { name, value } = xattr;
  checked(
    nativeLsetxattr(cString(procPath(at)), cString(name), value, value.length, 0),
    'lsetxattr',
    at.name,
  );
}

/** The attributes of an open file, sorted by name. None where the file system has no such thing. */
export function listXattrs(fd: number): XattrValue[] {
  return collect({
    list: (buffer) => nativeFlistxattr(fd, buffer, buffer.length),
    get: (name, buffer) => nativeFgetxattr(fd, name, buffer, buffer.length),
  });
}

/** The attributes of the thing itself, links not followed, sorted by name. */
export function listXattrsAt(at: At): XattrValue[] {
  const path = cString(procPath(at));
  return collect({
    list: (buffer) => nativeLlistxattr(path, buffer, buffer.length),
    get: (name, buffer) => nativeLgetxattr(path, name, buffer, buffer.length),
  });
}

/** One attribute of the thing itself, links not followed; undefined where it has none, or its file system keeps none. */
export function getXattrAt(at: At, name: string): Buffer | undefined {
  const size = nativeLgetxattr(cString(procPath(at)), cString(name), scratch, scratch.length);
  if (size >= 0) return Buffer.from(scratch.subarray(0, size));
  const error = lastError('lgetxattr', at.name);
  if (['ENODATA', 'ENOTSUP', 'EOPNOTSUPP'].includes(error.code ?? '')) return undefined;
  throw error;
}

/** A path that leads below an open directory, for the calls that have no `at` form: nothing of the image is walked. */
export function procPath(at: At): string {
  return at.dirFd === AT_FDCWD ? at.name : `/proc/self/fd/${at.dirFd}/${at.name}`;
}

interface Source {
  readonly list: (buffer: Buffer) => number;
  readonly get: (name: Buffer, buffer: Buffer) => number;
}

const scratch = Buffer.alloc(MAX_BYTES);

function collect(source: Source): XattrValue[] {
  const length = source.list(scratch);
  if (length < 0) {
    const error = lastError('listxattr');
    if (error.code === 'ENOTSUP' || error.code === 'EOPNOTSUPP') return [];
    throw error;
  }
  const names = scratch.toString('latin1', 0, length).split('\0').filter(Boolean).sort();
  const found: XattrValue[] = [];
  for (const name of names) {
    const size = source.get(cString(name), scratch);
    if (size < 0) {
      const error = lastError('getxattr', name);
      if (error.code === 'ENODATA') continue; // removed meanwhile
      throw error;
    }
    found.push({ name, value: Buffer.from(scratch.subarray(0, size)) });
  }
  return found;
}
