import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { each } from '../support/each.js';
import { ContainerBed, ended, launcher, printed } from '../support/launched-container.js';
import type { ConfigChanges } from '../support/runtime-config.js';
import { waitUntil } from '../support/wait-until.js';

const NO_PID: ConfigChanges = { linux: { namespaces: [{ type: 'mount' }] } };

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

each<{ name: string; search: string; wants: { status: number; says: RegExp } }>(
  'a program that is not to be had in the search path',
  [
    {
      name: 'is nowhere',
      search: '/absent:/etc',
      wants: { status: 127, says: /'tool': No such file/ },
    },
    {
      name: 'is nowhere, and what is searched last is no folder',
      search: '/etc:/probe',
      wants: { status: 127, says: /'tool': No such file/ },
    },
    {
      name: 'may not be run, where it is searched first',
      search: '/opt:/etc',
      wants: { status: 126, says: /'tool': Permission denied/ },
    },
    {
      name: 'is nowhere: no path',
      search: '',
      wants: { status: 127, says: /'tool': No such file/ },
    },
  ],
  async ({ search, wants }) => {
    using bed = new ContainerBed();
    mkdirSync(join(bed.rootfs, 'opt'));
    writeFileSync(join(bed.rootfs, 'opt/tool'), '', { mode: 0o644 });
    bed.compile([], { process: { args: ['tool'], env: [`PATH=${search}`] } });
    const { status, stderr } = await bed.launch({ BERTH_SHELL_STATUS: '1' });
    assert.match(stderr, wants.says);
    assert.equal(status, wants.status);
    assert.equal((await bed.launch()).status, 203, 'a service has another status');
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

test('credentials are files of the program alone, and read-only', async () => {
  using bed = new ContainerBed();
  const source = bed.hostDirectory('credentials');
  writeFileSync(bed.path('credentials/secret'), 'word');
  chmodSync(source, 0o500);
  bed.compile(
    [
      'env',
      ',',
      'stat',
      '/run/host/credentials',
      ',',
      'stat',
      '/run/host/credentials/secret',
      ',',
      'cat',
      '/run/host/credentials/secret',
      ',',
      'write',
      '/run/host/credentials/new',
      ',',
      'cat',
      '/proc/self/mounts',
    ],
    { process: { user: { uid: 7, gid: 8 } } },
  );
  const { stdout } = await bed.launch({ CREDENTIALS_DIRECTORY: source });
  const lines = stdout.split('\n');
  for (const line of [
    'env CREDENTIALS_DIRECTORY=/run/host/credentials',
    'stat /run/host/credentials=40500 uid=7 gid=8 rdev=0:0',
    'stat /run/host/credentials/secret=100400 uid=7 gid=8 rdev=0:0',
    'word',
    'write=EROFS',
  ]) {
    assert.ok(lines.includes(line), `${line} is not in\n${stdout}`);
  }
  assert.match(stdout, / \/run\/host tmpfs ro,nosuid,nodev,noexec/);
});

test('nothing of systemd is there that was not given', async () => {
  using bed = new ContainerBed();
  bed.compile(['env', ',', 'list', '/run/host']);
  const { stdout } = await bed.launch({
    NOTIFY_SOCKET: '/run/systemd/notify',
    LISTEN_PID: '1',
    LISTEN_FDS: '3',
    LISTEN_PIDFDID: '77',
    MAINPID: '5',
    JOURNAL_STREAM: '1:2',
    MANAGERPID: '1',
    INVOCATION_ID: 'abc',
    WATCHDOG_PID: '1',
    WATCHDOG_USEC: '1000',
  });
  assert.deepEqual(stdout.trim().split('\n').sort(), [
    'env HOME=/root',
    'env INVOCATION_ID=abc',
    'env PATH=/bin',
    'env WATCHDOG_PID=1',
    'env WATCHDOG_USEC=1000',
  ]);
});

each<{ name: string; changes: ConfigChanges; pid: RegExp }>(
  'sockets of the unit reach the program with the number of its own process',
  [
    { name: 'in a pid namespace', changes: {}, pid: /^env LISTEN_PID=1$/m },
    { name: 'without one', changes: NO_PID, pid: /^env LISTEN_PID=\d{2,}$/m },
  ],
  ({ changes, pid }) => {
    using bed = new ContainerBed();
    bed.compile(['env', ',', 'fds'], changes);
    // The shell becomes the launcher, so its own number is the right one; 5 is a descriptor that nobody meant to pass.
    const output = execFileSync('/bin/sh', [
      '-c',
      'exec 3</dev/null 4</dev/null 5</dev/null; LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a:b exec "$0" "$1"',
      launcher,
      bed.plan,
    ]).toString();
    assert.match(output, pid);
    assert.match(output, /^env LISTEN_FDS=2$/m);
    assert.match(output, /^env LISTEN_FDNAMES=a:b$/m);
    assert.deepEqual(output.match(/^fd=\d+$/gm), ['fd=0', 'fd=1', 'fd=2', 'fd=3', 'fd=4']);
  },
);

test('limits of the unit do not keep the launcher from starting', () => {
  using bed = new ContainerBed();
  bed.compile(['limit', '7'], {}, { init: true });
  const output = execFileSync('/bin/sh', [
    '-c',
    'ulimit -n 64; exec "$0" "$1"',
    launcher,
    bed.plan,
  ]);
  assert.equal(output.toString(), 'limit 7=64:64\n');
});

test('a strict filter does not stand in the way of its own loading', async () => {
  using bed = new ContainerBed();
  // What a profile written before these calls existed does.
  const calls = [
    'close_range',
    'openat2',
    'mount_setattr',
    'move_mount',
    'clone3',
    'signalfd4',
    'poll',
  ];
  bed.compile(['say', 'ran'], {
    process: { noNewPrivileges: true },
    linux: {
      namespaces: [{ type: 'pid' }, { type: 'mount' }],
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: calls, action: 'SCMP_ACT_KILL_PROCESS' }],
      },
    },
  });
  assert.equal((await bed.launch()).stdout, 'ran\n');
});

test('an edited config.json is started by its plan, with one line that says how to take it over', async () => {
  using bed = new ContainerBed();
  const path = bed.path('config.json');
  writeFileSync(path, '{}');
  const { mtimeNs } = statSync(path, { bigint: true });
  bed.compile(['say', 'ran'], {}, { configStamp: { path, sizeBytes: 2, mtimeNs } });
  assert.equal((await bed.launch()).stderr, '');
  utimesSync(path, 1, 1);
  const { stdout, stderr } = await bed.launch();
  assert.equal(stdout, 'ran\n');
  assert.match(stderr, /^berth: probe: config\.json was changed.*berth apply probe\n$/);
});

test('the stay-behind holds no sockets, no directory and little memory', async () => {
  using bed = new ContainerBed();
  mkdirSync(bed.path('cwd'));
  bed.compile(['say', 'ready', ',', 'sleep', '1000']);
  const child = bed.start();
  try {
    await printed(child, 'ready');
    // The program may print before its parent has let go of everything.
    await waitUntil('a parent that holds little', () => {
      const rollup = readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8');
      const pssKib = Number(/^Pss: +(\d+) kB/m.exec(rollup)?.[1]);
      assert.ok(pssKib <= 300, `the parent takes ${pssKib} KiB`);
      const fds = readdirSync(`/proc/${child.pid}/fd`);
      assert.ok(fds.length <= 5, `descriptors ${fds.join(' ')}`);
      assert.equal(readlinkSync(`/proc/${child.pid}/cwd`), '/');
      return true;
    });
  } finally {
    child.kill('SIGKILL');
    await ended(child);
  }
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
