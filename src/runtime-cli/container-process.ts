import { closeSync, openSync, readFileSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import { openProcess, signalProcess } from '../sys/descriptors.js';

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot (proc(5), field 22 of `stat`). */
  readonly startTime: string;
}

/** The identity of a process; undefined if there is none, or only its exit status is left. */
export function findProcess(pid: number): ProcessIdentity | undefined {
  return readStat(`/proc/${pid}`, pid);
}

/** Whether the process runs still. */
export function isAlive(process: ProcessIdentity): boolean {
  return process.pid > 0 && findProcess(process.pid)?.startTime === process.startTime;
}

/** Signals the process and none that has its number now; gives whether it was there. */
export function signalIfAlive(process: ProcessIdentity, signal: number): boolean {
  if (!isAlive(process)) return false;
  let held: number | undefined;
  try {
    held = openProcess(process.pid);
    if (!isAlive(process)) return false;
    signalProcess(held, signal);
    return true;
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false;
    throw error;
  } finally {
    if (held !== undefined) closeSync(held);
  }
}

/** A held directory of /proc: paths through it are of that process or fail, whoever has its number next. */
export class HeldProcess implements Disposable {
  readonly fd: number;
  readonly pid: number;

  private constructor(fd: number, pid: number) {
    this.fd = fd;
    this.pid = pid;
  }

  /** Holds the process; undefined if it has ended. */
  static open(identity: ProcessIdentity): HeldProcess | undefined {
    const fd = openIfThere(`/proc/${identity.pid}`);
    if (fd === undefined) return undefined;
    const found = readStat(`/proc/self/fd/${fd}`, identity.pid);
    if (found?.startTime === identity.startTime) return new HeldProcess(fd, identity.pid);
    closeSync(fd);
    return undefined;
  }

  /** The process's directory, as long as this is held. */
  get directory(): string {
    return `/proc/self/fd/${this.fd}`;
  }

  /** The number of the process as it sees itself: in the innermost of its pid namespaces. */
  innerPid(): number {
    const numbers = /^NSpid:(.*)$/m.exec(readFileSync(`${this.directory}/status`, 'latin1'))?.[1];
    return Number(numbers?.trim().split(/\s+/).at(-1) ?? this.pid);
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

function readStat(directory: string, pid: number): ProcessIdentity | undefined {
  try {
    const text = readFileSync(`${directory}/stat`, 'latin1');
    // The name of the program may hold spaces and parentheses; the last one ends it.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [state = 'X'] = fields;
    const startTime = fields[19];
    return startTime === undefined || state === 'Z' || state === 'X'
      ? undefined
      : { pid, startTime };
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}
