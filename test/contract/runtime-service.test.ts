import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
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
import { join } from 'node:path';
import { test } from 'node:test';

import { each } from '../support/each.js';
import { ContainerBed, ended, launcher, printed } from '../support/launched-container.js';
import { NO_PID, type ConfigChanges } from '../support/runtime-config.js';
import { waitUntil } from '../support/wait-until.js';

// What of a unit reaches the program of its container, and what does not stand in its way.

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
