import { writeFileSync } from 'node:fs';

import { runProgram } from '../base/subprocess.js';
import { OperationalError } from '../errors/operational-error.js';
import type { IdMapping, RuntimeLinux } from '../oci/runtime-config.js';
import { isOwnAlone } from '../runtime/check-confined.js';
import { formatMap } from '../runtime/compile-namespaces.js';
import type { ConfinedCaller } from '../runtime/confined-caller.js';

/**
 * Gives the user namespace of a process that waits in it its maps: a user's own id by writing it down, which Linux lets
 * everybody do (user_namespaces(7)), others through newuidmap(1) and newgidmap(1), which know what the host's
 * administrator lets him have (subuid(5)).
 *
 * @throws {@link OperationalError} RUNTIME_UNSUPPORTED saying what stands against it
 */
export async function mapUserNamespace(
  pid: number,
  { uidMappings, gidMappings }: Pick<RuntimeLinux, 'uidMappings' | 'gidMappings'>,
  caller: ConfinedCaller,
): Promise<void> {
  if (isOwnAlone(uidMappings, caller.uid)) {
    writeFileSync(`/proc/${pid}/uid_map`, formatMap(uidMappings));
  } else await runHelper('newuidmap', 'uidMappings', { pid, mappings: uidMappings });
  if (isOwnAlone(gidMappings, caller.gid)) {
    // Else a group that keeps somebody from a file could be left by whoever is in it.
    writeFileSync(`/proc/${pid}/setgroups`, 'deny');
    writeFileSync(`/proc/${pid}/gid_map`, formatMap(gidMappings));
  } else await runHelper('newgidmap', 'gidMappings', { pid, mappings: gidMappings });
}

async function runHelper(
  program: 'newuidmap' | 'newgidmap',
  member: string,
  { pid, mappings }: { readonly pid: number; readonly mappings: readonly IdMapping[] },
): Promise<void> {
  const numbers = mappings.flatMap(({ containerID, hostID, size }) => [containerID, hostID, size]);
  try {
    await runProgram([program, String(pid), ...numbers.map(String)]);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new OperationalError('RUNTIME_UNSUPPORTED', `linux.${member} cannot be had: ${why}`, {
      cause,
      hint: `a user's own id alone needs no ${program}; others are given in /etc/sub${member.slice(0, 3)}`,
    });
  }
}
