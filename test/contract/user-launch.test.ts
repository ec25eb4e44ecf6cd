import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { SYSTEM_MOUNTS } from '../../src/oci/usual-config.js';
import type { LaunchPlanOptions } from '../../src/runtime/launch-plan.js';
import { each } from '../support/each.js';
import { ended, printed } from '../support/launched-container.js';
import { NotifySink } from '../support/notify-sink.js';
import type { ConfigChanges } from '../support/runtime-config.js';
import { UserBed } from '../support/user-bed.js';

const TYPES = ['pid', 'ipc', 'uts', 'mount', 'cgroup'];
const NAMESPACES = TYPES.map((type) => ({ type }));

interface Row {
  readonly name: string;
  readonly words: string;
  readonly changes?: ConfigChanges;
  readonly options?: Partial<LaunchPlanOptions>;
  readonly has: readonly (string | RegExp)[];
  readonly lacks?: readonly RegExp[];
}

each<Row>(
  'a container that a user starts sees',
  [
    {
      name: 'root, who is that user and nobody else',
      words: 'ids , cat /proc/self/uid_map , cat /proc/self/gid_map , cat /proc/self/setgroups',
      has: [/^uid=0 gid=0 .*pid=1 ppid=0/, /^ +0 +1000 +1$/, 'deny'],
      lacks: [/^ +0 +0 /],
    },
    {
      name: 'another id that is that user, in files too',
      words: 'ids , cat /proc/self/uid_map , stat /etc/passwd , stat /dev/fd , link /dev/fd',
      changes: { process: { user: { uid: 33, gid: 34 } } },
      has: [/^uid=33 gid=34 /, /^ +33 +1000 +1$/, /^stat \/etc\/passwd=100644 uid=33 gid=34/],
    },
    {
      name: 'the user by its name in the image',
      words: 'ids , env',
      changes: { process: { user: { username: 'web' } } },
      options: { passwd: 'web:x:33:34::/srv/web:/x\n', group: 'log:x:40:web\n' },
      has: [/^uid=33 gid=34 /, 'env HOME=/srv/web'],
    },
    {
      name: 'its file systems, the terminals without a group of their own',
      words: 'cat /proc/self/mounts , mkdir /dev/shm/x',
      changes: { linux: { namespaces: NAMESPACES }, mounts: SYSTEM_MOUNTS.slice(-1) },
      has: [
        /^proc \/proc proc /,
        /^tmpfs \/dev tmpfs /,
        /^devpts \/dev\/pts devpts rw,nosuid,noexec,relatime,mode=620,ptmxmode=666/,
        /^mqueue \/dev\/mqueue mqueue /,
        /^sysfs \/sys sysfs ro/,
        /^\S+ \/sys\/fs\/cgroup cgroup2 ro/,
        'mkdir=ok',
      ],
    },
    {
      name: 'the default devices of the host, and no way to make others',
      words: 'stat /dev/null , write /dev/null , link /dev/ptmx , mknod /dev/mine',
      changes: {
        process: {
          capabilities: {
            bounding: ['CAP_MKNOD'],
            permitted: ['CAP_MKNOD'],
            effective: ['CAP_MKNOD'],
          },
        },
      },
      has: [
        /^stat \/dev\/null=20666 .*rdev=1:3/,
        'write=ok',
        'link /dev/ptmx=pts/ptmx',
        'mknod=EPERM',
      ],
    },
    {
      name: 'a read-only root with nothing of the host behind it',
      words: 'write /x , cat /proc/self/mounts',
      has: ['write=EROFS', /^\S+ \/ \S+ ro,nodev,/],
      lacks: [/ \/var\/tmp/, / \/home/],
    },
    {
      name: 'a volatile root that takes what it writes',
      words: 'write /x , mkdir /etc/y , write /etc/group , cat /etc/group',
      options: { volatileRoot: { sizeBytes: 1_000_000 } },
      has: ['write=ok', 'mkdir=ok', /^.oot:x:0:/],
    },
    {
      name: 'capabilities over what is its own alone',
      words: 'hostname , mount /tmp , cat /proc/self/status',
      changes: {
        hostname: 'box',
        linux: { namespaces: NAMESPACES },
        process: {
          noNewPrivileges: true,
          capabilities: {
            bounding: ['CAP_CHOWN'],
            permitted: ['CAP_CHOWN'],
            effective: ['CAP_CHOWN'],
          },
        },
      },
      has: ['hostname=box', 'mount=EPERM', 'CapEff:\t0000000000000001', 'NoNewPrivs:\t1'],
    },
    {
      name: 'masked and read-only paths, a filter, limits',
      words:
        'stat /proc/meminfo , list /sys/firmware , write /proc/sys/kernel/hostname , cat /proc/self/mounts , socket , limit 7',
      changes: {
        process: { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 10, hard: 20 }] },
        linux: {
          namespaces: NAMESPACES,
          maskedPaths: ['/proc/meminfo', '/sys/firmware'],
          readonlyPaths: ['/proc/sys'],
          seccomp: {
            defaultAction: 'SCMP_ACT_ALLOW',
            syscalls: [{ names: ['socket'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
          },
        },
      },
      has: [
        /^stat \/proc\/meminfo=20666 .*rdev=1:3/,
        'write=EACCES',
        /^proc \/proc\/sys proc ro/,
        'socket=EPERM',
        'limit 7=10:20',
      ],
      lacks: [/^entry \/sys\/firmware/],
    },
    {
      name: 'a stub as process 1',
      words: 'ids',
      changes: { annotations: { 'berth.init': 'true' } },
      has: [/ pid=2 ppid=1 /],
    },
    {
      name: 'pipes that it can open by their path',
      words: 'append /proc/self/fd/1 , say end',
      changes: { annotations: { 'berth.log-pipes': 'true' } },
      has: ['append=ok', 'end'],
    },
    {
      name: 'a network of its own',
      words: 'cat /proc/self/mounts , write /sys/class/net/lo/mtu',
      changes: { linux: { namespaces: [...NAMESPACES, { type: 'network' }] } },
      has: [/^sysfs \/sys sysfs rw/],
    },
  ],
  async ({ words, changes, options, has, lacks = [] }) => {
    using bed = new UserBed();
    const lines = await bed.run(words.split(' '), changes, options);
    for (const wanted of has) {
      const found = lines.some((line) =>
        typeof wanted === 'string' ? line === wanted : wanted.test(line),
      );
      assert.ok(found, `${String(wanted)} is not in\n${lines.join('\n')}`);
    }
    for (const unwanted of lacks) {
      assert.ok(
        !lines.some((line) => unwanted.test(line)),
        `${String(unwanted)} is in\n${lines.join('\n')}`,
      );
    }
  },
);

test('what a container of a user writes into a bound directory is the user’s', async () => {
  using bed = new UserBed();
  const data = bed.hostDirectory('data');
  const lines = await bed.run(['write', '/data/mark', ',', 'stat', '/data/mark'], {
    process: { user: { uid: 33, gid: 34 } },
    mounts: [
      { destination: '/data', type: 'bind', source: data, options: ['bind', 'rw', 'noatime'] },
    ],
  });
  assert.deepEqual([lines[0], (lines[1] ?? '').includes('uid=33 gid=34')], ['write=ok', true]);
  assert.equal(readFileSync(join(data, 'mark'), 'utf8'), 'x');
});

test('notifications of a user’s container reach his service manager from the launcher, and no others', async () => {
  using bed = new UserBed();
  const socket = bed.path('notify');
  using sink = await NotifySink.open(socket);
  bed.compile(['notify', 'MAINPID=1', 'notify', 'READY=1\nMAINPID=1'], {}, { notify: true });
  const child = bed.start({ NOTIFY_SOCKET: socket }, 'ignore');
  await ended(child);
  await sink.settle();
  const got = sink.messages.map(({ pid, text }) => [pid === child.pid, text]);
  assert.deepEqual(got, [[true, 'READY=1']]);
});

test('credentials of a user’s unit are in the container, its program’s own', async () => {
  using bed = new UserBed();
  const source = bed.hostDirectory('credentials');
  writeFileSync(join(source, 'password'), 'hunter2\n', { mode: 0o400 });
  const path = '/run/host/credentials/password';
  bed.compile(['env', 'cat', path, 'stat', path, 'append', path], {
    process: { user: { uid: 33, gid: 34 } },
  });
  const { stdout } = await bed.launch({ CREDENTIALS_DIRECTORY: source });
  for (const line of [
    'env CREDENTIALS_DIRECTORY=/run/host/credentials',
    'hunter2',
    'stat /run/host/credentials/password=100400 uid=33 gid=34',
    'append=EACCES',
  ])
    assert.ok(stdout.includes(line), stdout);
});

test('a user’s launcher ends as its program did, also for signals that nobody hears', async () => {
  using bed = new UserBed();
  bed.compile(['say', 'ready', ',', 'sleep', '1000']);
  const child = bed.start();
  await printed(child, 'ready');
  child.kill('SIGTERM');
  assert.deepEqual(await ended(child), { status: null, signal: 'SIGTERM' });
  bed.compile(['exit', '7']);
  assert.equal((await bed.launch()).status, 7);
});

test('the forking form writes the number of a user’s program', async () => {
  using bed = new UserBed();
  const pidFile = bed.path('run/pid');
  bed.hostDirectory('run');
  bed.compile(['sleep', '1000'], {}, { pidFile });
  assert.deepEqual(await ended(bed.start({}, 'ignore')), { status: 0, signal: null });
  const pid = Number(readFileSync(pidFile, 'utf8'));
  assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Uid:\t1000\t1000\t1000\t1000$/m);
  process.kill(pid, 'SIGKILL');
});

test('an instance of a user’s has its name where the plan has a place for it', async () => {
  using bed = new UserBed();
  bed.compile(['say', '{i}'], {}, { instanceMarker: '{i}' });
  assert.equal((await bed.launch({}, ['red'])).stdout, 'red\n');
});
