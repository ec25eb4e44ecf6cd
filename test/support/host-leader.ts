import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** The number of a host's PID 1: systemd-nspawn's only child, once it is one in a namespace of its own. */
export async function findLeader(container: ChildProcess, timeoutMs: number): Promise<number> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    if (container.exitCode !== null || Date.now() > end) throw new Error('no PID 1 came up');
    const { pid } = container;
    const children = readFileSync(`/proc/${pid ?? 0}/task/${pid ?? 0}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter((child) => child !== '');
    const leader = children.find((child) => isSystemd(child));
    if (children.length === 1 && leader !== undefined) return Number(leader);
    await delay(10);
  }
}

/** Whether a process is systemd running as PID 1 of a namespace below ours. */
function isSystemd(pid: string): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return /^Name:\tsystemd$/m.test(status) && /^NSpid:\t\d+\t1$/m.test(status);
  } catch {
    return false; // it has ended
  }
}
