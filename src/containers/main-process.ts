import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { OperationalError } from '../errors/operational-error.js';
import { isErrno } from '../errors/is-errno.js';
import { namespaceOf } from '../runtime/own-namespaces.js';
import { instanceName } from '../systemd/unit-name.js';
import type { UnitManager, UnitState } from '../systemd/unit-manager.js';

/**
 * The program of a running container, held by its folder in /proc: what is read or opened through the descriptor is of
 * that process or of none, also when its number is another's by then.
 */
export interface MainProcess extends Disposable {
  /** Open on `/proc/PID`. */
  readonly fd: number;
  /** Of the unit when it was opened. */
  readonly state: UnitState;
}

/**
 * How long a service that counts as started may take until its container is made; that takes milliseconds where the machine
 * has nothing else to do.
 */
const MAX_SETUP_MS = 5_000;
const LOOK_EVERY_MS = 10;

/**
 * Opens the program of a unit's container. With a pid namespace systemd's main process is the launcher that stayed on
 * the host; the container's is its child. `launcher` is the path of that, by which it is told from a program in its
 * place. A service counts as started before its container is made: that is waited for.
 *
 * @throws {@link OperationalError} CONTAINER_NOT_RUNNING
 */
export async function openMainProcess(
  manager: UnitManager,
  unit: string,
  launcher?: string,
): Promise<MainProcess> {
  const end = performance.now() + MAX_SETUP_MS;
  for (;;) {
    const found = await findMainProcess(manager, unit, launcher);
    if (typeof found === 'object') return found;
    if (found === 'ended')
      throw notRunning(
        unit,
        'runs no program at present',
        `'berth start ${instanceName(unit)}' starts it, and 'berth run ${instanceName(unit)} COMMAND' runs one without`,
      );
    if (performance.now() > end)
      throw notRunning(
        unit,
        'runs no program that can be told from the host by its root or processes',
      );
    await delay(LOOK_EVERY_MS);
  }
}

async function findMainProcess(
  manager: UnitManager,
  unit: string,
  launcher: string | undefined,
): Promise<MainProcess | 'ended' | 'begins'> {
  const [state] = await manager.getStates([unit]);
  if (state?.mainPid === undefined) return 'ended';
  let fd: number | undefined;
  try {
    fd = openContainerProcess(state.mainPid);
    if (fd === undefined) return 'begins';
    if (isOnHost(fd) && !runsProgram(state.mainPid, { fd, launcher })) return 'begins';
    // systemd frees the number of its main process only after it has said that it has none: what was opened was that one.
    const [later] = await manager.getStates([unit]);
    if (later?.mainPid === state.mainPid && later.invocationId === state.invocationId) {
      const opened = fd;
      fd = undefined;
      return {
        fd: opened,
        state,
        [Symbol.dispose]() {
          closeSync(opened);
        },
      };
    }
  } catch (error) {
    // A launcher that becomes root of a user's namespace is nobody's to look into until it is.
    if (isErrno(error, 'EACCES')) return 'begins';
    if (!isErrno(error, 'ENOENT', 'ESRCH')) throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  return 'ended';
}

/**
 * Whether a process still has the root of the host: it is the launcher, which makes the container, or the container was
 * given that root. Whoever entered the launcher would run the host's programs on the host's files.
 */
function isOnHost(fd: number): boolean {
  const host = statSync('/');
  const { dev, ino } = statSync(`/proc/self/fd/${fd}/root`);
  return dev === host.dev && ino === host.ino;
}

/** What the launcher calls itself once it runs from where nobody can write to it (launcher/main.c). */
const SEALED_LAUNCHER = 'berth-launch\0';

/**
 * Whether a process with the root of the host is the container's program all the same. Below the launcher, in a pid
 * namespace that only that can have made, whoever runs another program than the launcher is: it is executed last of all.
 * Without such a namespace it takes the launcher's place, in mounts of its own.
 */
function runsProgram(
  mainPid: number,
  { fd, launcher: path }: { readonly fd: number; readonly launcher: string | undefined },
): boolean {
  const process = `/proc/self/fd/${fd}`;
  const inside = namespaceOf(process, 'pid');
  if (inside === namespaceOf('/proc/self', 'pid')) return hasReplaced(fd, path);
  if (parentOf(fd) !== mainPid) return false;
  if (!readFileSync(`/proc/${mainPid}/cmdline`, 'utf8').startsWith(SEALED_LAUNCHER)) return false;
  const launcher = statSync(`/proc/${mainPid}/exe`);
  const isOther = (folder: string): boolean => {
    const { dev, ino } = statSync(`${folder}/exe`);
    return dev !== launcher.dev || ino !== launcher.ino;
  };
  // A stub that reaps is the launcher for good, and has the program as its child.
  const [pid = ''] = readdirSync(`${process}/task`);
  const children = readFileSync(`${process}/task/${pid}/children`, 'utf8').split(' ');
  return isOther(process) || children.some((child) => child !== '' && isOther(`/proc/${child}`));
}

/** The part of systemd that becomes the program of a unit (since 255; before, it is a child of the manager as it is). */
const EXECUTOR = '/systemd-executor';

/** Whether a process is systemd on the way to the launcher no more, nor the launcher on the way to the program. */
function hasReplaced(fd: number, launcher: string | undefined): boolean {
  const process = `/proc/self/fd/${fd}`;
  if (launcher === undefined) return false;
  if (namespaceOf(process, 'mnt') === namespaceOf('/proc/self', 'mnt')) return false;
  if (readFileSync(`${process}/cmdline`, 'utf8').startsWith(SEALED_LAUNCHER)) return false;
  if (readlinkSync(`${process}/exe`).endsWith(EXECUTOR)) return false;
  const own = statSync(`${process}/exe`);
  return [launcher, `/proc/${parentOf(fd)}/exe`].every((path) => {
    const { dev, ino } = statSync(path);
    return dev !== own.dev || ino !== own.ino;
  });
}

/**
 * The process itself, or its child in the pid namespace that it made; undefined before it has one. Its mounts do not tell: a
 * unit may give the launcher some of its own (`PrivateTmp=`).
 */
function openContainerProcess(pid: number): number | undefined {
  const fd = openSync(`/proc/${pid}`, 'r');
  const inside = namespaceOf(`/proc/self/fd/${fd}`, 'pid_for_children');
  if (inside === namespaceOf(`/proc/self/fd/${fd}`, 'pid')) return fd;
  try {
    const children = readFileSync(`/proc/self/fd/${fd}/task/${pid}/children`, 'utf8');
    for (const child of children.split(' ').filter((word) => word !== '')) {
      const opened = openSync(`/proc/${child}`, 'r');
      if (parentOf(opened) === pid && namespaceOf(`/proc/self/fd/${opened}`, 'pid') === inside)
        return opened;
      closeSync(opened);
    }
  } finally {
    closeSync(fd);
  }
  return undefined;
}

function parentOf(fd: number): number {
  const status = readFileSync(`/proc/self/fd/${fd}/status`, 'utf8');
  return Number(/^PPid:\t(\d+)$/m.exec(status)?.[1]);
}

function notRunning(unit: string, why: string, hint?: string): OperationalError {
  return new OperationalError('CONTAINER_NOT_RUNNING', `${unit} ${why}`, { hint });
}
