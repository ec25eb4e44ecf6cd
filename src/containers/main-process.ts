import { closeSync, openSync, readFileSync } from 'node:fs';

import { OperationalError } from '../errors/operational-error.js';
import { isErrno } from '../errors/is-errno.js';
import { namespaceOf } from '../runtime/own-namespaces.js';
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
 * Opens the program of a unit's container. With a pid namespace systemd's main process is the launcher that stayed on
 * the host; the container's is its child.
 *
 * @throws {@link OperationalError} CONTAINER_NOT_RUNNING
 */
export async function openMainProcess(manager: UnitManager, unit: string): Promise<MainProcess> {
  const [state] = await manager.getStates([unit]);
  if (state?.mainPid === undefined) throw notRunning(unit);
  let fd: number | undefined;
  try {
    fd = openContainerProcess(state.mainPid);
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
    if (!isErrno(error, 'ENOENT', 'ESRCH')) throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  throw notRunning(unit);
}

/**
 * The process itself, or its child in the pid namespace that it made. Its mounts do not tell: a unit may give the launcher
 * some of its own (`PrivateTmp=`).
 */
function openContainerProcess(pid: number): number {
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
  throw Object.assign(new Error(`process ${pid} has no child in a container`), { code: 'ESRCH' });
}

function parentOf(fd: number): number {
  const status = readFileSync(`/proc/self/fd/${fd}/status`, 'utf8');
  return Number(/^PPid:\t(\d+)$/m.exec(status)?.[1]);
}

function notRunning(unit: string): OperationalError {
  return new OperationalError('CONTAINER_NOT_RUNNING', `${unit} runs no program at present`);
}
