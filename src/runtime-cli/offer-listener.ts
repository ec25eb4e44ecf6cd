import { closeSync } from 'node:fs';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { RuntimeConfig } from '../oci/runtime-config.js';
import { connectSocket, sendDescriptor } from '../sys/descriptors.js';
import { fetchDescriptor } from './terminal.js';

/**
 * Sends the descriptor of a system call listener to whoever answers for the calls, with the state of the process
 * (config-linux.md, "The Container Process State").
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID if nobody listens at the path
 */
export function offerListener(
  config: RuntimeConfig,
  from: {
    readonly pid: number;
    readonly fd: number;
    readonly state: Readonly<Record<string, unknown>>;
  },
): void {
  const path = config.linux.seccomp?.listenerPath ?? '';
  const document = {
    ociVersion: config.ociVersion,
    fds: ['seccompFd'],
    pid: from.pid,
    metadata: config.linux.seccomp?.listenerMetadata ?? '',
    state: from.state,
  };
  const listener = fetchDescriptor(from.pid, from.fd);
  try {
    const socket = connectSocket(path);
    try {
      sendDescriptor(socket, listener, Buffer.from(JSON.stringify(document)));
    } finally {
      closeSync(socket);
    }
  } catch (cause) {
    throw new OperationalError(
      'RUNTIME_CONFIG_INVALID',
      `cannot hand the system call listener to ${quote(path)}`,
      { cause },
    );
  } finally {
    closeSync(listener);
  }
}
