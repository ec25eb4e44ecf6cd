import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { cacheFolder } from './cache-folder.js';
import { withFileLock } from './file-lock.js';
import { runCommand } from './run-command.js';

/** A process, told from later ones of the same number by when it started. */
export interface ProcessMark {
  readonly pid: number;
  /** Clock ticks since the machine booted: field 22 of /proc/PID/stat. */
  readonly startTicks: string;
}

/**
 * What a test host holds on the machine, written down before it is made, so that a later run can take it away if the
 * test process could not.
 */
export interface HostRecord {
  readonly id: string;
  readonly owner: ProcessMark;
  /** Processes to kill, if they still are who they were. */
  readonly processes: readonly ProcessMark[];
}

/** Folder of all test hosts; one folder each, named by its id. */
export function hostsFolder(): string {
  return cacheFolder('hosts');
}

/** The mark of a process that runs, or undefined. */
export function markOf(pid: number): ProcessMark | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name may contain spaces and parentheses; what follows its last one may not.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : { pid, startTicks: fields[19] ?? '' };
  } catch {
    return undefined; // it has ended
  }
}

function isRunning(mark: ProcessMark): boolean {
  return markOf(mark.pid)?.startTicks === mark.startTicks;
}

/** Writes down what a host holds; once before anything is made and again whenever it grows. */
export async function writeHostRecord(record: HostRecord): Promise<void> {
  const path = join(hostsFolder(), record.id, 'record.json');
  // Other test processes read it at any time.
  await writeFile(`${path}.new`, JSON.stringify(record));
  await rename(`${path}.new`, path);
}

/** Takes away what test processes left behind that ended without cleaning up: killed, crashed, or out of power. */
export async function reapDeadHosts(): Promise<void> {
  await withFileLock(join(cacheFolder(), 'reaper.lock'), async () => {
    for (const id of await readdir(hostsFolder())) {
      const path = join(hostsFolder(), id, 'record.json');
      const record = existsSync(path)
        ? (JSON.parse(await readFile(path, 'utf8')) as HostRecord)
        : undefined;
      if (record !== undefined && !isRunning(record.owner)) await removeHost(record);
    }
  });
}

/** Takes one host away: processes, mounts, control groups, network namespace, folder. What is gone already is fine. */
export async function removeHost(record: HostRecord): Promise<void> {
  for (const mark of record.processes) await killProcess(mark);
  for (const group of controlGroupsOf(record.id)) await removeControlGroup(group);
  const folder = join(hostsFolder(), record.id);
  await unmountBelow(folder);
  const namespace = networkNamespaceOf(record.id);
  if (existsSync(`/run/netns/${namespace}`)) await runCommand(['ip', 'netns', 'del', namespace]);
  await rm(folder, { recursive: true, force: true });
}

/** Kills a process if it still is who it was, and waits until it is gone. */
async function killProcess(mark: ProcessMark): Promise<void> {
  while (isRunning(mark)) {
    process.kill(mark.pid, 'SIGKILL');
    await delay(10);
  }
}

/** Name of a host's network namespace, as `ip netns` shows it. */
export function networkNamespaceOf(id: string): string {
  return `berth-test-${id}`;
}

/** The control group that a host is started in: in the unified hierarchy, wherever that is mounted. */
export function controlGroupOf(id: string): string {
  const unified = existsSync('/sys/fs/cgroup/cgroup.controllers')
    ? '/sys/fs/cgroup'
    : '/sys/fs/cgroup/unified';
  return `${unified}/berth-test-${id}`;
}

/** The same, and its twin: systemd-nspawn repeats it where a version 1 hierarchy named systemd is mounted. */
function controlGroupsOf(id: string): readonly string[] {
  return [controlGroupOf(id), `/sys/fs/cgroup/systemd/berth-test-${id}`].filter(existsSync);
}

async function removeControlGroup(path: string): Promise<void> {
  if (existsSync(join(path, 'cgroup.kill'))) await writeFile(join(path, 'cgroup.kill'), '1');
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeControlGroup(join(path, entry.name));
  }
  // Killed processes leave their group a moment after the signal.
  for (let attempt = 0; ; attempt++) {
    try {
      await rmdir(path);
      return;
    } catch (error) {
      if (!existsSync(path)) return;
      if (attempt === 100) throw error;
      await delay(20);
    }
  }
}

/** Unmounts everything at or below a folder, last mounted first; loop devices mounted there are freed by that. */
export async function unmountBelow(folder: string): Promise<void> {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point === folder || point.startsWith(`${folder}/`));
  for (const point of points.reverse()) {
    const result = await runCommand(['umount', point]);
    if (result.status !== 0) await runCommand(['umount', '--lazy', point]);
  }
}
