import { closeSync } from 'node:fs';

import { bindLibc, checked, loadKoffi } from './libc.js';

/** Four arguments, as many as any call here has: one that is not passed is whatever a register holds. */
const nativeSyscall = bindLibc(
  'long syscall(long number, long first, long second, long third, long fourth)',
);
const nativeSocket = bindLibc('int socket(int domain, int type, int protocol)');
const nativeConnect = bindLibc('int connect(int fd, const void *address, uint32_t length)');
const nativeSend = bindLibc('long sendmsg(int fd, const void *message, int flags)');

/** pidfd_open(2) and pidfd_getfd(2) have one number on every architecture (asm-generic, 5.3 and 5.6). */
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;
const SYS_PIDFD_SEND_SIGNAL = 424;
const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0o2000001;
const MSG_NOSIGNAL = 0x4000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MAX_SOCKET_PATH_BYTES = 107;

/** A descriptor for a process (pidfd). The caller closes it. */
export function openProcess(pid: number): number {
  return checked(nativeSyscall(SYS_PIDFD_OPEN, pid, 0, 0, 0), 'pidfd_open');
}

/** A copy of a descriptor that another process holds. The caller closes it. */
export function takeDescriptor(pidFd: number, fd: number): number {
  return checked(nativeSyscall(SYS_PIDFD_GETFD, pidFd, fd, 0, 0), 'pidfd_getfd');
}

/** Signals the process that the descriptor is of, never another with its number. */
export function signalProcess(pidFd: number, signal: number): void {
  checked(nativeSyscall(SYS_PIDFD_SEND_SIGNAL, pidFd, signal, 0, 0), 'pidfd_send_signal');
}

/** A stream socket that is connected to a path. The caller closes it. */
export function connectSocket(path: string): number {
  const bytes = Buffer.from(path);
  if (bytes.length > MAX_SOCKET_PATH_BYTES)
    throw new Error(`the path of the socket ${path} is too long`);
  const address = Buffer.alloc(2 + MAX_SOCKET_PATH_BYTES + 1);
  address.writeUInt16LE(AF_UNIX, 0);
  bytes.copy(address, 2);
  const fd = checked(nativeSocket(AF_UNIX, SOCK_STREAM_CLOEXEC, 0), 'socket');
  try {
    checked(nativeConnect(fd, address, 2 + bytes.length + 1), 'connect', path);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * Sends bytes and a descriptor with them (SCM_RIGHTS). The layout of `struct msghdr` is that of 64-bit machines, which
 * are the ones that berth runs on.
 */
export function sendDescriptor(socket: number, fd: number, bytes: Uint8Array): void {
  const { address } = loadKoffi();
  const data = Buffer.from(bytes);
  const piece = Buffer.alloc(16);
  piece.writeBigUInt64LE(address(data), 0);
  piece.writeBigUInt64LE(BigInt(data.length), 8);
  const control = Buffer.alloc(24);
  control.writeBigUInt64LE(20n, 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  control.writeInt32LE(fd, 16);
  const message = Buffer.alloc(56);
  message.writeBigUInt64LE(address(piece), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(address(control), 32);
  message.writeBigUInt64LE(24n, 40);
  checked(nativeSend(socket, message, MSG_NOSIGNAL), 'sendmsg');
}
