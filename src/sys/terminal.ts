import { closeSync, constants, openSync } from 'node:fs';

import { bindLibc, checked } from './libc.js';

const ioctlNumber = bindLibc('int ioctl(int fd, unsigned long request, long argument)');
const ioctlBytes = bindLibc('int ioctl(int fd, unsigned long request, void *argument)');

/** ioctl_tty(2). */
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const TIOCSWINSZ = 0x5414;

/** A pseudo terminal; both ends are the caller's to close. */
export interface PseudoTerminal {
  /** What is written here is typed there. */
  readonly master: number;
  /** What the program gets for its standard streams. */
  readonly slave: number;
}

/** Opens a fresh pseudo terminal (pty(7)): the host's, or that of another multiplexer. */
export function openPseudoTerminal(multiplexer = '/dev/ptmx'): PseudoTerminal {
  const flags = constants.O_RDWR | constants.O_NOCTTY;
  const master = openSync(multiplexer, flags);
  try {
    checked(ioctlBytes(master, TIOCSPTLCK, new Int32Array([0])), 'ioctl');
    // By descriptor and not by its path: /dev/pts may be another one here.
    const slave = checked(ioctlNumber(master, TIOCGPTPEER, flags), 'ioctl');
    return { master, slave };
  } catch (error) {
    closeSync(master);
    throw error;
  }
}

/** Tells a terminal how large its window is; the programs in it get SIGWINCH. */
export function setTerminalSize(
  fd: number,
  size: { readonly rows: number; readonly columns: number },
): void {
  checked(ioctlBytes(fd, TIOCSWINSZ, new Uint16Array([size.rows, size.columns, 0, 0])), 'ioctl');
}
