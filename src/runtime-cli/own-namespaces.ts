import { readlinkSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import type { LinuxNamespace } from '../runtime/compile-namespaces.js';
import { NAMESPACE_FILES } from './container-plan.js';
import type { HeldProcess } from './container-process.js';

/** The namespaces of a process that are not the runtime's own, in the order in which they can be joined. */
export function ownNamespaces(process: HeldProcess): readonly LinuxNamespace[] {
  const types = Object.keys(NAMESPACE_FILES) as readonly LinuxNamespace[];
  return types.filter((type) => {
    const theirs = linkOf(process.path(`ns/${NAMESPACE_FILES[type]}`));
    return theirs !== undefined && theirs !== linkOf(`/proc/self/ns/${NAMESPACE_FILES[type]}`);
  });
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined; // a kernel without that kind
    throw error;
  }
}
