import { readlinkSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import type { LinuxNamespace } from './compile-namespaces.js';

/** The names of namespaces in /proc/PID/ns. */
export const NAMESPACE_FILES: Readonly<Record<LinuxNamespace, string>> = {
  mount: 'mnt',
  cgroup: 'cgroup',
  uts: 'uts',
  ipc: 'ipc',
  user: 'user',
  pid: 'pid',
  network: 'net',
  time: 'time',
};

/** The namespaces of a process that are not this process's own. `directory` is the one of /proc, held open by the caller. */
export function ownNamespaces(directory: string): readonly LinuxNamespace[] {
  const types = Object.keys(NAMESPACE_FILES) as readonly LinuxNamespace[];
  return types.filter((type) => {
    const theirs = namespaceOf(directory, NAMESPACE_FILES[type]);
    return theirs !== undefined && theirs !== namespaceOf('/proc/self', NAMESPACE_FILES[type]);
  });
}

/** What tells a namespace from others: the link in /proc. Undefined for a kind that this kernel does not have. */
export function namespaceOf(directory: string, file: string): string | undefined {
  try {
    return readlinkSync(`${directory}/ns/${file}`);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
