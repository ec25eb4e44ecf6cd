import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { mkdir, readFile, writeFile } from '../base/quick-files.js';
import { runProgram } from '../base/subprocess.js';
import { PLAN_ROOT } from './compile-launch-plan.js';
import { NAMESPACE_FLAGS } from './compile-namespaces.js';
import { encodePlan, type Instruction } from './plan-format.js';
import type { ServiceUser } from './service-user.js';

/** What the launcher ends with when all went well up to the program, which cannot be run. */
const STATUS_EXEC = 203;

/** Settings that keep users from making namespaces, with the value that lets them. */
const SETTINGS: readonly (readonly [file: string, permits: (value: number) => boolean])[] = [
  ['user/max_user_namespaces', (value) => value > 0],
  ['user/max_mnt_namespaces', (value) => value > 0],
  ['user/max_pid_namespaces', (value) => value > 0],
  // Debian's, and of kernels before 6.0 for Arch's and others.
  ['kernel/unprivileged_userns_clone', (value) => value === 1],
  // Ubuntu's, since 23.10: unless a profile permits it to the program.
  ['kernel/apparmor_restrict_unprivileged_userns', (value) => value === 0],
];

/**
 * Tries what every container of a user needs: a user namespace, a root with a volatile overlay, a /proc of its own. The answer is
 * the kernel's, whatever forbids it; the settings are read for the message alone.
 *
 * @throws {@link OperationalError} NAMESPACES_FORBIDDEN naming the setting; PROGRAM_MISSING
 */
export async function checkUserLaunch(launcher: string, user: ServiceUser): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-trial-'));
  try {
    const plan = join(folder, 'launch.plan');
    await mkdir(join(folder, 'root/proc'), { recursive: true });
    await writeFile(plan, encodePlan(trialPlan(join(folder, 'root'), user)), { mode: 0o600 });
    const result = await runProgram([launcher, plan], { okStatuses: EVERY_STATUS });
    if (result.status === STATUS_EXEC) return;
    const forbidden = await findForbidding();
    const said = result.stderrTail.trim().replace(/^berth: cannot start [^:]*: /, '');
    throw new OperationalError(
      'NAMESPACES_FORBIDDEN',
      `this host does not let a user start containers: ${said}`,
      {
        hint:
          forbidden.length > 0
            ? `root can permit it: sysctl ${forbidden.join(', ')}`
            : 'inside another container, that one may hide parts of /proc; a volatile root needs Linux 5.11',
      },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const EVERY_STATUS = Array.from({ length: 256 }, (_, status) => status);

function trialPlan(root: string, { uid, gid }: ServiceUser): readonly Instruction[] {
  const { mount, pid } = NAMESPACE_FLAGS;
  return [
    ['NAME', 'a trial'],
    ['USER_NAMESPACE', `0 ${uid} 1\n`, `0 ${gid} 1\n`],
    ['UNSHARE', mount | pid, ''],
    ['ROOT_FIRST'],
    ['ROOT', root, PLAN_ROOT.readOnly | PLAN_ROOT.volatile | PLAN_ROOT.locked],
    ['VOLATILE_ROOT', '65536'],
    ['FILE_SYSTEM', 'proc'],
    ['MOUNT', '/proc', 0, 0],
    ['PIVOT', 0],
    ['ARGUMENT', '/'],
    ['EXEC', 0, ''],
  ];
}

async function findForbidding(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const [file, permits] of SETTINGS) {
    const value = await readNumber(`/proc/sys/${file}`);
    if (value !== undefined && !permits(value)) {
      found.push(`${file.replace('/', '.')} is ${value}`);
    }
  }
  return found;
}

async function readNumber(path: string): Promise<number | undefined> {
  try {
    return Number(await readFile(path, 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES')) return undefined;
    throw error;
  }
}
