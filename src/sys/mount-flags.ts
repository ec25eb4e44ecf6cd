import { bindLibc, checked, cString } from './libc.js';

const nativeStatfs = bindLibc('int statfs(const void *path, void *status)');

/** `sizeof(struct statfs)` on 64-bit Linux is 120; more does no harm. */
const STATFS_BYTES = 256;
/** Offset of `f_flags`: after type, bsize, blocks, bfree, bavail, files, ffree, fsid, namelen and frsize. */
const FLAGS_OFFSET = 80;

/** `ST_NOEXEC` of statvfs(3). */
const MOUNTED_NOEXEC = 0x0008n;

/** Whether the file system of a path that exists lets programs be run from it. */
export function allowsExecution(path: string): boolean {
  const status = Buffer.alloc(STATFS_BYTES);
  checked(nativeStatfs(cString(Buffer.from(path).toString('latin1')), status), 'statfs', path);
  return (status.readBigUInt64LE(FLAGS_OFFSET) & MOUNTED_NOEXEC) === 0n;
}
