import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { compileLaunchPlan } from '../../src/runtime/compile-launch-plan.js';
import { encodePlan, type Instruction } from '../../src/runtime/plan-format.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { ContainerBed } from '../support/launched-container.js';
import { runtimeConfig, type ConfigChanges } from '../support/runtime-config.js';

// What a container writes in it can fill with links, and at its next start the host opens what is to be bound from there.

const LENT = { lends: () => true };

const bind = (source: string, destination: string, mode = 'rw'): object => ({
  destination,
  source,
  options: ['rbind', mode],
});

/** A host with `secret/f`, and a container that may write in `data` and has `data/deep/own` bound by itself. */
function lend(bed: ContainerBed): ConfigChanges {
  bed.hostDirectory('secret');
  writeFileSync(bed.path('secret/f'), 'of the host\n');
  mkdirSync(bed.hostDirectory('data/deep/own'), { recursive: true });
  writeFileSync(bed.path('data/deep/own/f'), 'its own\n');
  return {
    mounts: [bind(bed.path('data'), '/data'), bind(bed.path('data/deep/own'), '/own', 'ro')],
  };
}

test('H06 a link in the place of what is bound from a folder that the container writes in is not followed', async () => {
  using bed = new ContainerBed();
  const changes = lend(bed);
  assert.deepEqual(await bed.run(['cat', '/own/f'], changes, LENT), ['its own']);
  renameSync(bed.path('data/deep/own'), bed.path('data/deep/was'));
  symlinkSync(bed.path('secret'), bed.path('data/deep/own'));
  const end = await bed.launch();
  assert.equal(end.status, 246, `a container got a folder of the host by a link: ${end.stdout}`);
  assert.match(
    end.stderr,
    /refusing a link of its own on the way to the bind source '.*\/data\/deep\/own'/,
  );
});

test('H06 nor is one on the way there, nor one that leads back into it', async () => {
  using bed = new ContainerBed();
  const changes = lend(bed);
  bed.compile(['cat', '/own/f'], changes, LENT);
  mkdirSync(bed.path('secret/own'));
  writeFileSync(bed.path('secret/own/f'), 'of the host\n');
  renameSync(bed.path('data/deep'), bed.path('data/was'));
  for (const target of [bed.path('secret'), 'was']) {
    symlinkSync(target, bed.path('data/deep'));
    const { status, stdout } = await bed.launch();
    assert.equal(status, 246, `a link to ${target} was followed: ${stdout}`);
    rmSync(bed.path('data/deep'));
  }
});

test('H06 a link of the image in the place of what it has bound from its own root is not followed', async () => {
  using bed = new ContainerBed();
  lend(bed);
  mkdirSync(`${bed.rootfs}/real`);
  writeFileSync(`${bed.rootfs}/real/f`, 'its own\n');
  const mounts = [bind('rootfs/real', '/own')];
  assert.deepEqual(await bed.run(['cat', '/own/f'], { mounts }, LENT), ['its own']);
  symlinkSync(bed.path('secret'), `${bed.rootfs}/x`);
  bed.compile(['cat', '/own/f'], { mounts: [bind('rootfs/x', '/own')] }, LENT);
  const { status, stdout } = await bed.launch();
  assert.equal(status, 246, `an image got a folder of the host by a link: ${stdout}`);
});

test('control: without the rule a link gives the container what it leads to', async () => {
  using bed = new ContainerBed();
  const changes = lend(bed);
  bed.compile(['cat', '/own/f'], changes);
  rmSync(bed.path('data/deep/own'), { recursive: true });
  symlinkSync(bed.path('secret'), bed.path('data/deep/own'));
  assert.equal((await bed.launch()).stdout, 'of the host\n');
});

test('an administrator may have a link to the folder that is lent, and mounts below it', async () => {
  using bed = new ContainerBed();
  lend(bed);
  symlinkSync('data', bed.path('moved'));
  const own = bed.path('moved/deep/own');
  const lines = await bed.run(
    ['cat', '/own/f', ',', 'cat', '/one', ',', 'write', '/data/x'],
    { mounts: [bind(bed.path('moved'), '/data'), bind(own, '/own'), bind(`${own}/f`, '/one')] },
    LENT,
  );
  assert.deepEqual(lines, ['its own', 'its own', 'write=ok']);
});

test('slots of instances are filled in both', async () => {
  using bed = new ContainerBed();
  bed.hostDirectory('data-one/own');
  writeFileSync(bed.path('data-one/own/f'), 'of one\n');
  bed.compile(
    ['cat', '/own/f'],
    { mounts: [bind(bed.path('data-@I@'), '/data'), bind(bed.path('data-@I@/own'), '/own')] },
    { ...LENT, instanceMarker: '@I@' },
  );
  assert.equal((await bed.launch({}, ['one'])).stdout, 'of one\n');
  rmSync(bed.path('data-one/own'), { recursive: true });
  symlinkSync('/etc', bed.path('data-one/own'));
  assert.equal((await bed.launch({}, ['one'])).status, 246);
});

interface Sources {
  readonly name: string;
  readonly mounts: readonly object[];
  readonly lends?: (folder: string) => boolean;
  /** Sources of what is bound without links. */
  readonly want: readonly string[];
}

each<Sources>(
  'H06 what counts as lent:',
  [
    {
      name: 'nothing that may only be read',
      mounts: [bind('/srv/a', '/a', 'ro'), bind('/srv/a/b', '/b')],
      want: [],
    },
    {
      name: 'what is made writable where it was bound',
      mounts: [
        bind('/srv/a', '/a', 'ro'),
        bind('/srv/a/b', '/b'),
        { destination: '/a/', options: ['remount', 'rw'] },
      ],
      want: ['/srv/a'],
    },
    {
      name: 'a folder that comes later, and by its other name',
      mounts: [bind('/var/run/web/b', '/b', 'ro'), bind('/run/web/', '/a')],
      want: ['/run/web'],
    },
    {
      name: 'the outermost of several, for the link is in there',
      mounts: [bind('/srv/a/b', '/b'), bind('/srv/a', '/a'), bind('/srv/a/b/c', '/c')],
      want: ['/srv/a', '/srv/a'],
    },
    {
      name: 'no folder of a like name',
      mounts: [bind('/srv/a', '/a'), bind('/srv/ab', '/b')],
      want: [],
    },
    {
      name: 'its root, whose links are those of its image',
      mounts: [bind('/var/lib/berth/web/rootfs/x', '/x'), bind('rootfs/y', '/y', 'ro')],
      want: ['/var/lib/berth/web/rootfs', '/var/lib/berth/web/rootfs'],
    },
    {
      name: 'nothing of a container that has all of the host',
      mounts: [bind('/run', '/run'), bind('/srv/a', '/a'), bind('/srv/a/b', '/b')],
      lends: (folder) => folder !== '/run',
      want: [],
    },
  ],
  ({ mounts, lends = LENT.lends, want }) => {
    const { plan } = compile(mounts, lends);
    const found = [...plan.toString('latin1').matchAll(/\x33\0{3}.\0{3}.\0{3}(\/[^\0]+)\0/gs)];
    assert.deepEqual(
      found.map(([, folder]) => folder),
      want,
    );
  },
);

interface Refused {
  readonly name: string;
  readonly mount: object;
  readonly folder?: RegExp;
}

each<Refused>(
  'H06 a file system is refused whose parts are in a lent folder:',
  [
    { name: 'a disk', mount: { type: 'ext4', source: '/srv/a/disk' } },
    { name: 'a disk by a relative path', mount: { type: 'ext4', source: 'srv/a/disk' } },
    {
      name: 'a layer of an overlay',
      mount: { type: 'overlay', source: 'overlay', options: ['lowerdir=/opt:/srv/x/../a/b'] },
    },
    {
      name: 'a layer of an overlay that is a link of the image',
      mount: { type: 'overlay', options: ['lowerdir=/var/lib/berth/web/rootfs/x'] },
      folder: /'\/var\/lib\/berth\/web\/rootfs' could lead anywhere/,
    },
    {
      name: 'where an overlay writes',
      mount: { type: 'overlay', options: ['lowerdir=/opt', 'upperdir=/srv/a/u'] },
    },
  ],
  async ({ mount, folder = /a link in '\/srv\/a' could lead anywhere/ }: Refused) => {
    const error = await assertFails('RUNTIME_CONFIG_INVALID', () =>
      Promise.resolve().then(() =>
        compile([bind('/srv/a', '/a'), { destination: '/b', options: [], ...mount }]),
      ),
    );
    assert.match(error.message, folder);
  },
);

each(
  'a plan is refused that has a folder of no mount:',
  [
    { name: 'none after it', next: ['MASK', '/x'] },
    { name: 'one of another folder', next: ['BIND', '/srv/ab', '/b', 0, 0, 0, 0, 0, 0] },
    { name: 'one of the folder itself', next: ['BIND', '/srv/a', '/b', 0, 0, 0, 0, 0, 0] },
  ] satisfies readonly { name: string; next: Instruction }[],
  async ({ next }) => {
    using bed = new ContainerBed();
    writeFileSync(
      bed.plan,
      encodePlan([
        ['NAME', 'x'],
        ['UNSHARE', 0x2_0000, ''],
        ['ROOT', bed.rootfs, 0],
        ['BENEATH', '/srv/a'],
        next,
        ['PIVOT', 0],
        ['ARGUMENT', '/probe'],
        ['EXEC', 0, '/bin'],
      ]),
    );
    const { status, stderr } = await bed.launch();
    assert.equal(status, 245);
    assert.match(stderr, /a folder of no mount/);
  },
);

each<{ name: string; mount: object; want: readonly string[] }>(
  'what a mount shows of the host is told:',
  [
    {
      name: 'the folders of an overlay',
      mount: { type: 'overlay', options: ['lowerdir=/:/srv/a', 'upperdir=/u', 'workdir=/w'] },
      want: ['/ read-only', '/srv/a read-only', '/u', '/w'],
    },
    {
      name: 'a disk',
      mount: { type: 'ext4', source: '/dev/vda', options: ['ro'] },
      want: ['/dev/vda read-only'],
    },
    {
      name: 'a disk by a relative path',
      mount: { type: 'ext4', source: 'dev/vda' },
      want: ['ext4 of dev/vda'],
    },
    {
      name: 'a part of the kernel',
      mount: { type: 'binfmt_misc', source: 'none' },
      want: ['binfmt_misc'],
    },
    { name: 'a share', mount: { type: '9p', source: 'hostshare' }, want: ['9p of hostshare'] },
    {
      name: 'a /sys that it may write in',
      mount: { type: 'sysfs', source: 'sysfs' },
      want: ['sysfs'],
    },
    {
      name: 'nothing of a /sys to read',
      mount: { type: 'sysfs', source: 'sysfs', options: ['ro'] },
      want: [],
    },
    { name: 'nothing of what is its own', mount: { type: 'tmpfs', source: 'tmpfs' }, want: [] },
  ],
  ({ mount, want }) => {
    const { summary } = compile([{ destination: '/x', options: [], ...mount }]);
    assert.deepEqual(
      summary.hostMounts
        .filter(({ destination }) => destination === '/x')
        .map(({ source, readonly }) => `${source}${readonly ? ' read-only' : ''}`),
      want,
    );
  },
);

function compile(
  mounts: readonly object[],
  lends: (folder: string) => boolean = LENT.lends,
): ReturnType<typeof compileLaunchPlan> {
  return compileLaunchPlan(runtimeConfig({ mounts }), {
    name: 'web',
    rootfs: '/var/lib/berth/web/rootfs',
    lends,
  });
}
