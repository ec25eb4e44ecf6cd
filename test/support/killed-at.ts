import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { BootedHost } from './booted-host.js';
import { type CommandResult, runCommand } from './run-command.js';

/** System calls that change a file system or tell something to the service manager. */
const CHANGING_CALLS = [
  ...['mkdir', 'mkdirat', 'rmdir', 'unlink', 'unlinkat'],
  ...['rename', 'renameat', 'renameat2', 'link', 'linkat', 'symlink', 'symlinkat'],
  ...['chmod', 'fchmod', 'fchmodat', 'fchown', 'fchownat', 'utimensat', 'ftruncate'],
  ...['fsync', 'fdatasync', 'syncfs', 'copy_file_range', 'sendmsg'],
];

/** A moment to kill a program at: when a thread of it is about to make its n-th call of that name. */
export interface KillPoint {
  readonly call: string;
  readonly when: number;
}

/** Runs berth on the host to its end and gives the moments at which it could have been killed. */
export async function findKillPoints(
  host: BootedHost,
  args: readonly string[],
): Promise<readonly KillPoint[]> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-trace-'));
  try {
    const log = join(folder, 'log');
    const result = await traced(host, args, [`--trace=${CHANGING_CALLS.join(',')}`, '-o', log]);
    if (result.status !== 0) throw new Error(`berth ${args.join(' ')}: ${result.stderr}`);
    return countCalls(await readFile(log, 'utf8'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs berth on the host and kills it with SIGKILL at the given moment; the status is 137 if that came. */
export async function berthKilledAt(
  host: BootedHost,
  args: readonly string[],
  { call, when }: KillPoint,
): Promise<CommandResult> {
  return traced(host, args, [
    `--trace=${call}`,
    `--inject=${call}:signal=KILL:when=${when}`,
    ...['-o', '/dev/null'],
  ]);
}

/** Of each call the first and the last: a call that is made often would else hide those that are made once. */
export function sample(points: readonly KillPoint[]): readonly KillPoint[] {
  return points.filter(({ call, when }) => {
    const last = Math.max(...points.map((point) => (point.call === call ? point.when : 0)));
    return when === 1 || when === last;
  });
}

async function traced(
  host: BootedHost,
  args: readonly string[],
  options: readonly string[],
): Promise<CommandResult> {
  const enter = ['nsenter', `--target=${host.leader}`, ...'-m -u -i -n -p -C -r -w'.split(' ')];
  return runCommand(
    [
      ...['strace', '--follow-forks', '--quiet=all', ...options],
      ...[...enter, '--', 'node', '/opt/berth/dist/src/main.js', ...args],
    ],
    // strace counts for each thread, so that one thread has to make all of Node's calls.
    { env: { PATH: process.env['PATH'], HOME: '/root', UV_THREADPOOL_SIZE: '1' } },
  );
}

/** The moments in the order of a log of strace; the n-th call of each thread. */
function countCalls(log: string): readonly KillPoint[] {
  const counts = new Map<string, number>();
  const points = new Map<string, KillPoint>();
  for (const line of log.split('\n')) {
    const [, thread = '', call = ''] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    if (call === '') continue;
    const when = (counts.get(`${thread} ${call}`) ?? 0) + 1;
    counts.set(`${thread} ${call}`, when);
    if (!points.has(`${call} ${when}`)) points.set(`${call} ${when}`, { call, when });
  }
  return [...points.values()];
}
