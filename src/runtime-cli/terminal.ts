import { closeSync } from 'node:fs';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { connectSocket, openProcess, sendDescriptor, takeDescriptor } from '../sys/descriptors.js';

/** A copy of a descriptor of a process that waits for us. The caller closes it. */
export function fetchDescriptor(pid: number, fd: number): number {
  const process = openProcess(pid);
  try {
    return takeDescriptor(process, fd);
  } finally {
    closeSync(process);
  }
}

/**
 * A connection to whoever is to have the terminal.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID if nobody listens there
 */
export function connectConsole(path: string): number {
  try {
    return connectSocket(path);
  } catch (cause) {
    throw new OperationalError(
      'RUNTIME_CONFIG_INVALID',
      `cannot connect to the console socket ${quote(path)}`,
      { cause },
    );
  }
}

/** Sends a terminal over a console socket, and closes it; its name goes with it, as runc's does. */
export function sendTerminal(socket: number, terminal: number): void {
  try {
    sendDescriptor(socket, terminal, Buffer.from('/dev/ptmx'));
  } finally {
    closeSync(terminal);
  }
}
