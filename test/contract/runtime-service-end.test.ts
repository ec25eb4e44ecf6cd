import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { test } from 'node:test';

import { each } from '../support/each.js';
import { ContainerBed, ended, launcher, printed } from '../support/launched-container.js';
import { NO_PID, type ConfigChanges } from '../support/runtime-config.js';
import { waitUntil } from '../support/wait-until.js';

// A service ends as its program does, of whatever it ends, and nothing of it stays.

each<{
  name: string;
  words: string[];
  changes?: ConfigChanges;
  init?: boolean;
  status?: number;
  signal?: NodeJS.Signals;
}>(
  'the launcher ends exactly as its program',
  [
    { name: 'status 0', words: ['exit', '0'], status: 0 },
    { name: 'status 42', words: ['exit', '42'], status: 42 },
    {
      name: 'status 42 without a pid namespace',
      words: ['exit', '42'],
      changes: NO_PID,
      status: 42,
    },
    { name: 'status 42 under a stub', words: ['exit', '42'], init: true, status: 42 },
    { name: 'a fault', words: ['fault'], signal: 'SIGSEGV' },
    { name: 'a signal under a stub', words: ['raise', '11'], init: true, signal: 'SIGSEGV' },
    {
      name: 'a signal without a pid namespace',
      words: ['raise', '6'],
      changes: NO_PID,
      signal: 'SIGABRT',
    },
  ],
  async ({ words, changes, init, status, signal }) => {
    using bed = new ContainerBed();
    bed.compile(words, changes, { init: init === true });
    const end = await ended(bed.start());
    assert.deepEqual(end, { status: status ?? null, signal: signal ?? null });
  },
);

each<{
  name: string;
  words: string[];
  signal: NodeJS.Signals;
  init?: boolean;
  prints?: string;
  status?: number;
  dead?: NodeJS.Signals;
}>(
  'a signal to the launcher',
  [
    {
      name: 'reaches a program that catches it',
      words: ['catch', '15', ',', 'say', 'ready', ',', 'sleep', '1000', ',', 'exit', '7'],
      signal: 'SIGTERM',
      prints: 'caught=15',
      status: 7,
    },
    {
      name: 'ends a program that does not, at once, and as that signal',
      words: ['say', 'ready', ',', 'sleep', '1000'],
      signal: 'SIGTERM',
      dead: 'SIGTERM',
    },
    {
      name: 'ends a program that does not (SIGHUP, as for a native one)',
      words: ['say', 'ready', ',', 'sleep', '1000'],
      signal: 'SIGHUP',
      dead: 'SIGHUP',
    },
    {
      name: 'that is ignored stays ignored',
      words: ['ignore', '15', ',', 'say', 'ready', ',', 'sleep', '1', ',', 'exit', '3'],
      signal: 'SIGTERM',
      status: 3,
    },
    {
      name: 'that ends nobody ends nobody',
      words: ['say', 'ready', ',', 'sleep', '1', ',', 'exit', '4'],
      signal: 'SIGWINCH',
      status: 4,
    },
    {
      name: 'passes through a stub',
      words: ['say', 'ready', ',', 'sleep', '1000'],
      signal: 'SIGTERM',
      init: true,
      dead: 'SIGTERM',
    },
  ],
  async ({ words, signal, init, prints, status, dead }) => {
    using bed = new ContainerBed();
    bed.compile(words, {}, { init: init === true });
    const child = bed.start();
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await printed(child, 'ready');
    const began = Date.now();
    child.kill(signal);
    assert.deepEqual(await ended(child), { status: status ?? null, signal: dead ?? null });
    assert.ok(Date.now() - began < 60_000, 'it took as long as the program wanted');
    if (prints !== undefined) assert.match(output, new RegExp(prints));
  },
);

each<{ name: string; number: number; init?: boolean }>(
  'a signal to the launcher that its C library keeps for itself',
  [
    { name: 'the first real-time signal of glibc', number: 34 },
    { name: 'the same through a stub', number: 34, init: true },
    { name: 'the last real-time signal', number: 64 },
  ],
  async ({ number, init }) => {
    using bed = new ContainerBed();
    const signal = String(number);
    const tell = (pid: number | undefined): void => {
      execFileSync('kill', [`-${signal}`, String(pid)]);
    };
    bed.compile(['catch', signal, ',', 'say', 'ready', ',', 'sleep', '1000', ',', 'exit', '7'], {});
    const catching = bed.start();
    await printed(catching, 'ready');
    tell(catching.pid);
    assert.deepEqual(await ended(catching), { status: 7, signal: null });
    bed.compile(['say', 'ready', ',', 'sleep', '1000'], {}, { init: init === true });
    // A shell tells of deaths that Node has no name for.
    const other = spawn('sh', [
      '-c',
      '"$@" & echo "pid=$!"; wait $!; echo "status=$?"',
      'sh',
      launcher,
      bed.plan,
    ]);
    let output = '';
    other.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await waitUntil('its beginning', () => /pid=\d+/.test(output) && output.includes('ready'));
    tell(Number(/pid=(\d+)/.exec(output)?.[1]));
    await ended(other);
    assert.match(output, new RegExp(`status=${128 + number}\n`));
  },
);

test('the container ends with its parent', async () => {
  using bed = new ContainerBed();
  bed.compile(['say', 'ready', ',', 'sleep', '1000']);
  const child = bed.start();
  await printed(child, 'ready');
  const [inside] = childrenOf(child.pid ?? 0);
  assert.ok(inside !== undefined);
  child.kill('SIGKILL');
  await ended(child);
  await waitUntil('the end of the container with its parent', () => !isAlive(inside));
});

test('a stub collects orphans', async () => {
  using bed = new ContainerBed();
  bed.compile(['orphan', ',', 'list', '/proc'], {}, { init: true });
  const { stdout } = await bed.launch();
  const pids = stdout.split('\n').filter((line) => /^entry \/proc\/\d+$/.test(line));
  assert.deepEqual(pids, ['entry /proc/1', 'entry /proc/2'], 'zombies were left');
});

test('the forking form writes the pid, and ends when the program runs', async () => {
  using bed = new ContainerBed();
  const pidFile = bed.path('pid');
  bed.compile(['ids', ',', 'sleep', '1000'], {}, { pidFile });
  const child = bed.start({}, 'ignore');
  assert.deepEqual(await ended(child), { status: 0, signal: null });
  const pid = Number(readFileSync(pidFile, 'utf8'));
  assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Name:\tprobe$/m);
  process.kill(pid, 'SIGKILL');
  bed.compile([], { process: { args: ['/absent'] } }, { pidFile });
  assert.deepEqual(await ended(bed.start()), { status: 203, signal: null });
});

function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).errno, -constants.errno.ESRCH);
    return false;
  }
}
