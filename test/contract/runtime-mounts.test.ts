import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { hostMounts } from '../support/host-mounts.js';
import { ContainerBed, ended, printed } from '../support/launched-container.js';
import type { ConfigChanges } from '../support/runtime-config.js';

const NAMESPACES = [{ type: 'pid' }, { type: 'ipc' }, { type: 'mount' }];
const caps = (names: readonly string[]): object => ({
  bounding: names,
  effective: names,
  permitted: names,
  inheritable: names,
  ambient: names,
});

test('binds are made as they are asked for, below links of the image too', async () => {
  using bed = new ContainerBed();
  const data = bed.hostDirectory('data');
  writeFileSync(join(data, 'seen'), 'host\n');
  writeFileSync(bed.path('one-file'), 'file\n');
  mkdirSync(join(bed.rootfs, 'real/target'), { recursive: true });
  symlinkSync('/real', join(bed.rootfs, 'var/run'));
  const lines = await bed.run(
    [
      'write',
      '/data/x',
      ',',
      'write',
      '/ro/x',
      ',',
      'cat',
      '/etc/one',
      ',',
      'cat',
      '/real/target/seen',
      ',',
      'cat',
      '/proc/self/mountinfo',
    ],
    {
      mounts: [
        { destination: '/data', source: data, type: 'bind', options: ['rbind', 'rw', 'mode=755'] },
        { destination: '/ro', source: data, options: ['bind', 'ro', 'noexec'] },
        { destination: '/etc/one', source: bed.path('one-file'), options: ['bind', 'ro'] },
        { destination: '/var/run/target', source: data, options: ['rbind', 'rslave'] },
        { destination: '/etc/resolv.conf', source: '/not/there', options: ['bind'] },
      ],
    },
    { optionalBindSources: ['/not/there'] },
  );
  assert.deepEqual(lines.slice(0, 4), ['write=ok', 'write=EROFS', 'file', 'host']);
  assert.ok(
    lines.some((line) => line.includes(' /ro ro,noexec,')),
    lines.join('\n'),
  );
  assert.ok(lines.some((line) => line.includes(' /real/target ')));
  assert.ok(existsSync(join(data, 'x')), 'what the container wrote is not on the host');
});

test('mounts pass between host and container where a bind is shared, and nowhere else', async () => {
  using bed = new ContainerBed();
  const host = bed.hostDirectory('host');
  execFileSync('mount', ['-t', 'tmpfs', 'host', host]);
  try {
    execFileSync('mount', ['--make-shared', host]);
    for (const folder of ['a', 'b', 'c', 'later']) mkdirSync(join(host, folder));
    const bind = (destination: string, propagation: string): object => ({
      destination,
      source: host,
      options: ['rbind', 'rw', propagation],
    });
    bed.compile(
      [
        'mount',
        '/shared/a',
        'mount',
        '/slave/b',
        'mount',
        '/private/c',
        'say',
        'ready',
        'sleep',
        '1',
        'cat',
        '/proc/self/mounts',
      ],
      {
        process: { capabilities: caps(['CAP_SYS_ADMIN']) },
        mounts: [
          bind('/shared', 'rshared'),
          bind('/slave', 'rslave'),
          bind('/private', 'rprivate'),
        ],
        linux: { namespaces: NAMESPACES, rootfsPropagation: 'rslave' },
      },
    );
    const child = bed.start();
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await printed(child, 'ready');
    const onHost = readFileSync('/proc/self/mounts', 'utf8')
      .match(/^inner \S+/gm)
      ?.filter((line) => line.startsWith(`inner ${host}/`));
    execFileSync('mount', ['-t', 'tmpfs', 'outer', join(host, 'later')]);
    await ended(child);
    assert.deepEqual(onHost, [`inner ${host}/a`]);
    assert.deepEqual(output.match(/^outer \S+/gm)?.sort(), [
      'outer /shared/later',
      'outer /slave/later',
    ]);
  } finally {
    execFileSync('umount', ['--recursive', host]);
  }
});

test('a bind source that is missing stops the start with a status of its own', async () => {
  using bed = new ContainerBed();
  bed.compile([], { mounts: [{ destination: '/data', source: '/not/there', options: ['bind'] }] });
  const { status, stderr } = await bed.launch();
  assert.equal(status, 246);
  assert.match(stderr, /cannot start probe: opening the bind source '\/not\/there': No such file/);
});

test('a launch leaves the rootfs and the host as they were', async () => {
  using bed = new ContainerBed();
  bed.compile(['write', '/x', ',', 'write', '/dev/x'], {
    mounts: [{ destination: '/a/b', type: 'tmpfs' }],
  });
  const before = readdirSync(bed.rootfs, { recursive: true }).sort();
  const mounts = hostMounts(bed.rootfs);
  assert.equal((await bed.launch()).status, 0);
  assert.deepEqual(readdirSync(bed.rootfs, { recursive: true }).sort(), before);
  assert.deepEqual(hostMounts(bed.rootfs), mounts);
});

test('a mount point that the root lacks is an error, not a change of shared files', async () => {
  using bed = new ContainerBed();
  const plan = bed.compile(['say', 'ran'], { mounts: [{ destination: '/late', type: 'tmpfs' }] });
  assert.ok(plan.mountPoints.some(({ path }) => path === '/late'));
  rmdirSync(join(bed.rootfs, 'late'));
  const { status, stderr } = await bed.launch();
  assert.equal(status, 246);
  assert.match(stderr, /'\/late': Read-only file system/);
  assert.ok(!existsSync(join(bed.rootfs, 'late')), 'the launcher wrote into the shared root');
});

test('the program is looked for in PATH, and a missing one has its status', async () => {
  using bed = new ContainerBed();
  mkdirSync(join(bed.rootfs, 'opt'));
  symlinkSync('/probe', join(bed.rootfs, 'opt/tool'));
  assert.deepEqual(
    await bed.run([], {
      process: { args: ['tool', 'say', 'hello'], env: ['PATH=/none:/etc:/opt'] },
    }),
    ['hello'],
  );
  bed.compile([], { process: { args: ['absent'] } });
  const { status, stderr } = await bed.launch();
  assert.equal(status, 203);
  assert.match(stderr, /running 'absent': No such file/);
});

test('a user namespace maps the owners of a shared root without touching them', async () => {
  using bed = new ContainerBed();
  const data = bed.hostDirectory('data');
  const owned = (id: string): object => ({ containerID: 0, hostID: Number(id), size: 65536 });
  const lines = await bed.run(
    [
      'ids',
      ',',
      'stat',
      '/probe',
      ',',
      'cat',
      '/proc/self/uid_map',
      ',',
      'stat',
      '/dev/null',
      ',',
      'hostname',
      ',',
      'cat',
      '/proc/sys/net/ipv4/ip_forward',
      ',',
      'write',
      '/data/x',
    ],
    {
      hostname: 'mapped',
      process: { capabilities: caps(['CAP_CHOWN', 'CAP_DAC_OVERRIDE']), user: { uid: 0, gid: 0 } },
      mounts: [{ destination: '/data', source: data, options: ['bind', 'idmap'] }],
      linux: {
        namespaces: [...NAMESPACES, { type: 'user' }, { type: 'uts' }, { type: 'network' }],
        uidMappings: [owned('200000')],
        gidMappings: [owned('200000')],
        sysctl: { 'net.ipv4.ip_forward': '1' },
      },
    },
  );
  assert.match(lines[0] ?? '', /^uid=0 gid=0 groups=0 pid=1/);
  assert.match(lines[1] ?? '', /^stat \/probe=\d+ uid=0 gid=0/);
  assert.match(lines[2] ?? '', /^ +0 +200000 +65536$/);
  assert.match(lines[3] ?? '', /rdev=1:3/);
  assert.deepEqual(lines.slice(4), ['hostname=mapped', '1', 'write=ok']);
  assert.equal(statSync(join(bed.rootfs, 'probe')).uid, 0, 'the shared file changed its owner');
  assert.equal(statSync(join(data, 'x')).uid, 0, 'an id-mapped bind wrote with the wrong owner');
});

test('C15 with a user namespace a device is bound, and nothing else under the name of one', async () => {
  using bed = new ContainerBed();
  const place = bed.hostDirectory('place');
  mkdirSync(join(bed.rootfs, place), { recursive: true });
  const ids = [{ containerID: 0, hostID: 200_000, size: 65_536 }];
  const inside = (device: object): ConfigChanges => ({
    linux: {
      namespaces: [...NAMESPACES, { type: 'user' }],
      uidMappings: ids,
      gidMappings: ids,
      devices: [device],
    },
  });
  const node = bed.path('node');
  execFileSync('mknod', [node, 'c', '1', '7']);
  writeFileSync(join(bed.rootfs, node), '');
  const lines = await bed.run(
    ['stat', node, ',', 'stat', '/dev/null'],
    inside({ type: 'c', path: node, major: 1, minor: 7 }),
  );
  assert.match(lines.join('\n'), /rdev=1:7[\s\S]*rdev=1:3/);
  for (const path of [place, node, '/dev/full']) {
    bed.compile(['list', place], inside({ type: 'c', path, major: 1, minor: 3 }));
    const { status, stderr } = await bed.launch();
    assert.equal(status, 247, `a path of the host came in: ${path}`);
    assert.match(stderr, new RegExp(`refusing what is not the device .* '${path}'`));
  }
});

test('without a pid namespace the launcher becomes the program', async () => {
  using bed = new ContainerBed();
  bed.compile(['ids', ',', 'link', '/proc/self/exe'], {
    linux: { namespaces: [{ type: 'mount' }] },
  });
  const child = bed.start();
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  assert.match(text, new RegExp(` pid=${child.pid} ppid=${process.pid} `));
});

test('an instance name fills the slots, and nothing but a name', async () => {
  using bed = new ContainerBed();
  bed.hostDirectory('data-one');
  writeFileSync(bed.path('data-one/f'), 'of one\n');
  bed.compile(
    ['say', 'I am @I@', ',', 'cat', '/d/f', ',', 'hostname'],
    {
      hostname: 'box-@I@',
      linux: { namespaces: [...NAMESPACES, { type: 'uts' }] },
      mounts: [{ destination: '/d', source: bed.path('data-@I@'), options: ['bind'] }],
    },
    { instanceMarker: '@I@' },
  );
  const good = await bed.launch({}, ['one']);
  assert.equal(good.stdout, 'I am one\nof one\nhostname=box-one\n');
  for (const bad of ['', '../one', 'a/b', '..', 'a\nb', 'x'.repeat(300)]) {
    assert.equal(
      (await bed.launch({}, [bad])).status,
      245,
      `instance ${JSON.stringify(bad)} was taken`,
    );
  }
  assert.equal((await bed.launch()).status, 245, 'a start without an instance was taken');
});
