import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { CompiledNamespaces, LinuxNamespace } from './compile-namespaces.js';
import { LauncherStatus } from './launcher-status.js';
import type { Instruction } from './plan-format.js';

/** Longest value, in bytes: the kernel takes a page. */
const MAX_VALUE_BYTES = 4095;

/** The sysctls that belong to a namespace; every other one is the host's (CVE-2022-0811 set kernel.core_pattern). */
const NAMESPACED: readonly { readonly pattern: RegExp; readonly namespace: LinuxNamespace }[] = [
  {
    pattern: /^kernel\/(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$/,
    namespace: 'ipc',
  },
  { pattern: /^fs\/mqueue\/[a-z_]+$/, namespace: 'ipc' },
  { pattern: /^net\/.+$/, namespace: 'network' },
  { pattern: /^kernel\/domainname$/, namespace: 'uts' },
];

/**
 * Compiles kernel parameters: names of a strict grammar, of a namespace that the container has for itself.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID
 */
export function compileSysctl(
  sysctl: Readonly<Record<string, string>>,
  namespaces: CompiledNamespaces,
): readonly Instruction[] {
  return Object.entries(sysctl).map(([key, value]) => {
    const path = sysctlPath(key);
    const owner = NAMESPACED.find(({ pattern }) => pattern.test(path));
    if (owner === undefined) refuse(key, 'it is not one of a namespace: it would change the host');
    if (!namespaces.has(owner.namespace)) {
      refuse(key, `the container has no ${owner.namespace} namespace of its own`);
    }
    if (value.includes('\n') || Buffer.byteLength(value) > MAX_VALUE_BYTES) {
      refuse(key, 'its value is not one line of a page at most');
    }
    return ['PROC_WRITE', `sys/${path}`, value, '', LauncherStatus.sysctl];
  });
}

/** sysctl(8): the first separator decides; with slashes, dots are part of a name (`net/ipv4/conf/eth0.1/forwarding`). */
function sysctlPath(key: string): string {
  const slashed = /^[A-Za-z0-9_-]+\//.test(key);
  const parts = key.split(slashed ? '/' : '.');
  const part = slashed ? /^(?!\.\.?$)[A-Za-z0-9_.-]+$/ : /^[A-Za-z0-9_-]+$/;
  if (parts.length < 2 || !parts.every((name) => part.test(name))) refuse(key, 'it is not a name');
  return parts.join('/');
}

function refuse(key: string, problem: string): never {
  throw new OperationalError(
    'RUNTIME_CONFIG_INVALID',
    `refusing kernel parameter ${quote(key)}: ${problem}`,
  );
}
