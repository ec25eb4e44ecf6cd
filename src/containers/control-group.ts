import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path/posix';

import { readFileBounded } from '../base/bounded-read.js';
import { isErrno } from '../errors/is-errno.js';

/*
 * What the kernel says of a running service, in the files of its control group. Processes and groups come and go while
 * they are read: what is gone is left out.
 */

/** Where control groups are (cgroup v2). */
const CONTROL_GROUPS = '/sys/fs/cgroup';

/** A container may make groups and processes of its own, as many as it likes; a list for people ends here. */
const MAX_GROUPS = 4096;
const MAX_PROCESSES = 65_536;

const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** The folder of a unit's control group, from one of its processes; undefined where it is gone. */
export async function findControlGroup(unit: string, pid: number): Promise<string | undefined> {
  const text = await readIfThere(`/proc/${pid}/cgroup`);
  const path = /^0::(\/.*)$/m.exec(text ?? '')?.[1];
  const segments = (path ?? '').split('/');
  const at = segments.indexOf(unit);
  return at === -1 ? undefined : join(CONTROL_GROUPS, ...segments.slice(0, at + 1));
}

/** The processes in a control group and those below it, ascending. */
export async function listGroupProcesses(group: string): Promise<readonly number[]> {
  const found: number[] = [];
  const groups = [group];
  for (let index = 0; index < groups.length && found.length < MAX_PROCESSES; index++) {
    const folder = groups[index] ?? '';
    const text = (await readIfThere(join(folder, 'cgroup.procs'))) ?? '';
    for (const line of text.split('\n')) {
      if (found.length === MAX_PROCESSES) break;
      if (line !== '') found.push(Number(line));
    }
    for (const name of await foldersIn(folder))
      if (groups.length < MAX_GROUPS) groups.push(join(folder, name));
  }
  return found.filter((pid) => pid > 0).sort((a, b) => a - b);
}

/** What a service used; undefined where this kernel or the unit's settings do not account for it. */
export interface GroupUsage {
  /** Microseconds of processor time. */
  readonly cpuUs: bigint | undefined;
  readonly memoryBytes: bigint | undefined;
  readonly tasks: bigint | undefined;
  readonly readBytes: bigint | undefined;
  readonly writtenBytes: bigint | undefined;
}

/** Reads what a control group used since it was made. */
export async function readGroupUsage(group: string): Promise<GroupUsage> {
  const cpu = await readIfThere(join(group, 'cpu.stat'));
  const memory = await readIfThere(join(group, 'memory.current'));
  const tasks = await readIfThere(join(group, 'pids.current'));
  const io = await readIfThere(join(group, 'io.stat'));
  const sum = (key: string): bigint | undefined =>
    io === undefined
      ? undefined
      : [...io.matchAll(new RegExp(`\\b${key}=(\\d+)`, 'g'))].reduce(
          (total, [, digits]) => total + BigInt(digits ?? 0),
          0n,
        );
  return {
    cpuUs: parseNumber(/^usage_usec (\d+)$/m.exec(cpu ?? '')?.[1]),
    memoryBytes: parseNumber(memory),
    tasks: parseNumber(tasks),
    readBytes: sum('rbytes'),
    writtenBytes: sum('wbytes'),
  };
}

function parseNumber(text: string | undefined): bigint | undefined {
  const digits = text?.trim() ?? '';
  return /^\d{1,20}$/.test(digits) ? BigInt(digits) : undefined;
}

async function foldersIn(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** The text of a file of the kernel; undefined where it is gone, or was never there. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return (await readFileBounded(path, { maxBytes: MAX_FILE_BYTES })).toString('utf8');
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** As {@link readIfThere}, but no more than so many bytes: how long the rest is, is the container's choice. */
export async function readBeginning(path: string, maxBytes: number): Promise<string | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY);
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(maxBytes), 0, maxBytes, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return isErrno(error, 'ENOENT', 'ENODEV', 'ESRCH', 'EOPNOTSUPP');
}
