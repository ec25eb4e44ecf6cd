import { existsSync } from 'node:fs';

import { readFileBoundedNow } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { openFileContexts } from '../sys/file-contexts.js';
import { HostLabels } from './host-labels.js';
import { mayHaveLabels, SELINUX_CONFIG } from './may-have-labels.js';

/** Largest of the policy's small files in bytes; they have some hundred. The tree of `--root` may be anybody's. */
const MAX_CONFIG_BYTES = 65_536;

/** Where the types of containers stand: container-selinux has a file of its own beside the policy's (lxc_contexts). */
const CONTAINER_CONTEXTS = '/usr/share/containers/selinux/contexts';

/**
 * Opens what the policy of a host says of files; undefined where there is no policy, it is switched off, or it cannot be read,
 * which is told. A user's files have the labels of a home, which their owner's service manager may use.
 */
export function openHostLabels(
  paths: HostPaths,
  warn: (text: string) => void,
): HostLabels | undefined {
  if (!mayHaveLabels(paths)) return undefined;
  try {
    const policy = findPolicy(paths);
    if (policy === undefined) return undefined;
    const files = openFileContexts(paths.onDisk(`${policy}/contexts/files/file_contexts`));
    return new HostLabels(paths, { files, content: findContentContext(paths, policy) }, warn);
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    warn(`SELinux: ${error.message}; what berth puts onto the host gets no labels of its own`);
    return undefined;
  }
}

/** The folder of the policy, as the host sees it. */
function findPolicy(paths: HostPaths): string | undefined {
  const text = readIfThere(paths.onDisk(SELINUX_CONFIG));
  if (valueOf(text, 'SELINUX') === 'disabled') return undefined;
  const type = valueOf(text, 'SELINUXTYPE') ?? 'targeted';
  // It becomes part of a path.
  if (!/^[A-Za-z0-9][\w.-]*$/.test(type)) return undefined;
  const policy = `/etc/selinux/${type}`;
  return existsSync(paths.onDisk(`${policy}/contexts/files/file_contexts`)) ? policy : undefined;
}

/** What the container tools give read-only layers: `ro_file`. */
function findContentContext(paths: HostPaths, policy: string): string | undefined {
  for (const file of [CONTAINER_CONTEXTS, `${policy}/contexts/lxc_contexts`]) {
    const context = valueOf(readIfThere(paths.onDisk(file)), 'ro_file')?.replaceAll('"', '');
    if (context !== undefined && context !== '') return context;
  }
  return undefined;
}

function valueOf(text: string, key: string): string | undefined {
  return new RegExp(String.raw`^[ \t]*${key}[ \t]*=[ \t]*(\S+)`, 'm').exec(text)?.[1];
}

function readIfThere(path: string): string {
  try {
    return readFileBoundedNow(path, { maxBytes: MAX_CONFIG_BYTES }).toString('utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return '';
    throw new OperationalError('CONFIG_INVALID', `cannot read ${quote(path)}`, { cause: error });
  }
}
