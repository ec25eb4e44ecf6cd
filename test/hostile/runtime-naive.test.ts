import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  copyFileSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { change, defaultDocument, RuntimeBed } from '../conformance/runtime-bed.js';
import { projectRoot } from '../support/cache-folder.js';
import { agentProgram } from '../support/probe-program.js';
import { each } from '../support/each.js';
import { naiveRuntime } from '../support/naive-runtime.js';

/*
 * What runtimes have fallen for, each case put to a runtime of a few lines that does what those did, and to berth-runtime. The
 * first has to fall, or the case shows nothing.
 */

const SECRET = 'a secret of the host\n';

const inShell = (script: string): ReturnType<typeof defaultDocument> =>
  defaultDocument(['sh', '-c', script]);

/** A folder of the host with a file, beside the bundle. */
function outsideOf(bed: RuntimeBed): string {
  mkdirSync(bed.path('outside'));
  writeFileSync(bed.path('outside/secret'), SECRET);
  return bed.path('outside');
}

test('C02 CVE-2024-21626 a descriptor that was left open is a way to the host, for who leaves one open', async () => {
  using bed = new RuntimeBed();
  const outside = outsideOf(bed);
  const script =
    'for fd in 3 4 5 6 7 8 9; do cat /proc/self/fd/$fd/secret 2>/dev/null; done; echo end';
  const fd = openSync(outside, 'r');
  try {
    const naive = naiveRuntime(
      bed.bundle,
      ['mount -t proc proc $root/proc', `chroot $root sh -c '${script}'`],
      fd,
    );
    assert.equal(naive.stdout, `${SECRET}end\n`, 'the control shows nothing');
    const cwd = naiveRuntime(
      bed.bundle,
      ['mount -t proc proc $root/proc', "chroot $root sh -c 'cd /proc/self/fd/3 && cat secret'"],
      fd,
    );
    assert.equal(cwd.stdout, SECRET, 'the control shows nothing');
  } finally {
    closeSync(fd);
  }
  assert.equal(await bed.inside(inShell(script)), 'end\n', 'a descriptor is a way to the host');
});

test('C03 CVE-2025-31133 what is masked with a /dev/null of the image shows what that leads to', async () => {
  using bed = new RuntimeBed();
  const outside = outsideOf(bed);
  mkdirSync(join(bed.bundle, 'image-dev'));
  symlinkSync(`${outside}/secret`, join(bed.bundle, 'image-dev/null'));
  writeFileSync(join(bed.bundle, 'masked'), 'of the image\n');
  const naive = naiveRuntime(bed.bundle, [
    'mount --bind $root/image-dev $root/dev',
    'mount --bind $root/dev/null $root/masked',
    "chroot $root sh -c 'cat /masked; echo written > /masked'",
  ]);
  assert.equal(naive.stdout, SECRET, 'the control shows nothing');
  assert.equal(readFileSync(`${outside}/secret`, 'utf8'), 'written\n', 'the control shows nothing');
  const output = await bed.inside(
    change(inShell('cat /masked; echo again > /masked; echo end'), {
      mounts: [
        ...(inShell('')['mounts'] as { destination: string }[]).filter(
          ({ destination }) => !destination.startsWith('/dev'),
        ),
        { destination: '/dev', source: join(bed.bundle, 'image-dev'), options: ['bind'] },
      ],
      linux: { maskedPaths: ['/masked'] },
    }),
  );
  assert.equal(output, 'end\n');
  assert.equal(
    readFileSync(`${outside}/secret`, 'utf8'),
    'written\n',
    'A FILE OF THE HOST WAS WRITTEN TO',
  );
});

each<{ name: string; make: (pts: string, outside: string) => void }>(
  'C03 CVE-2025-52565 the console is never what an image has in its place: /dev/pts/ptmx as',
  [
    {
      name: 'a link to a file of the host',
      make: (pts, outside) => {
        symlinkSync(`${outside}/secret`, join(pts, 'ptmx'));
      },
    },
    {
      name: 'a file',
      make: (pts) => {
        writeFileSync(join(pts, 'ptmx'), '');
      },
    },
    {
      name: 'the zero device',
      make: (pts) => {
        spawnSync('mknod', [join(pts, 'ptmx'), 'c', '1', '5']);
      },
    },
  ],
  ({ make }) => {
    using bed = new RuntimeBed();
    const outside = outsideOf(bed);
    const dev = bed.path('dev');
    mkdirSync(join(dev, 'pts'), { recursive: true });
    writeFileSync(join(dev, 'console'), '');
    symlinkSync(`${outside}/secret`, join(dev, 'pts/0'));
    make(join(dev, 'pts'), outside);
    // The control binds the terminal by its path, when the image is in place already.
    const naive = naiveRuntime(bed.bundle, [
      `mount --bind ${dev} $root/dev`,
      'mount --bind $root/dev/pts/0 $root/dev/console',
      'cat $root/dev/console',
    ]);
    assert.equal(naive.stdout, SECRET, 'the control shows nothing');
    const agent = spawn(agentProgram(), [bed.path('console'), 'terminal'], { stdio: 'ignore' });
    try {
      while (!existsSync(bed.path('console'))) spawnSync('sleep', ['0.02']);
      bed.configure(
        change(inShell('cat /dev/console'), {
          process: { terminal: true },
          mounts: [{ destination: '/dev', source: dev, options: ['bind'] }],
        }),
      );
      const created = bed.create('--console-socket', bed.path('console'));
      assert.equal(created.status, 1, 'something that is no terminal was taken for one');
      assert.match(created.stderr, /\/dev\/pts\/ptmx/);
      assert.equal(readFileSync(`${outside}/secret`, 'utf8'), SECRET);
      assert.equal(bed.state(), undefined);
    } finally {
      agent.kill('SIGKILL');
    }
  },
);

test('C05 CVE-2025-52881 what is written to a /proc of the image goes where its links lead', async () => {
  using bed = new RuntimeBed();
  const outside = outsideOf(bed);
  const fake = bed.path('fake-proc');
  for (const folder of ['sys/kernel', 'self/attr/apparmor'])
    mkdirSync(join(fake, folder), { recursive: true });
  const decoys = [
    'sys/kernel/msgmax',
    'self/oom_score_adj',
    'self/attr/exec',
    'self/attr/apparmor/exec',
  ];
  for (const decoy of decoys) symlinkSync(`${outside}/secret`, join(fake, decoy));
  const bind = `mount --bind ${fake} $root/proc`;
  const naive = naiveRuntime(bed.bundle, [bind, 'echo 65530 > $root/proc/sys/kernel/msgmax']);
  assert.equal(naive.status, 0, naive.stderr);
  assert.equal(readFileSync(`${outside}/secret`, 'utf8'), '65530\n', 'the control shows nothing');
  writeFileSync(`${outside}/secret`, SECRET);
  const document = change(inShell('readlink /proc/sys/kernel/msgmax'), {
    process: { oomScoreAdj: 5 },
    mounts: [{ destination: '/proc', source: fake, options: ['bind'] }],
    linux: { sysctl: { 'kernel.msgmax': '65530' } },
  });
  assert.equal(await bed.inside(document), `${outside}/secret\n`, 'the decoys were not there');
  assert.equal(
    readFileSync(`${outside}/secret`, 'utf8'),
    SECRET,
    'A FILE OF THE HOST WAS WRITTEN TO',
  );
});

test('C06 CVE-2021-30465 a mount point that becomes a link while it is looked at', () => {
  using bed = new RuntimeBed();
  const outside = outsideOf(bed);
  mkdirSync(join(bed.bundle, 'data'));
  symlinkSync(outside, join(bed.bundle, 'data-link'));
  // The control looks, and does it: in between, the image swaps the two.
  const naive = naiveRuntime(bed.bundle, [
    'test "$(readlink -f $root/data)" = "$root/data"',
    'mv $root/data $root/was && mv $root/data-link $root/data',
    'mkdir -p $root/data/made',
    'mv $root/data $root/data-link && mv $root/was $root/data',
  ]);
  assert.equal(naive.status, 0, naive.stderr);
  assert.deepEqual(readdirSync(outside), ['made', 'secret'], 'the control shows nothing');
  rmdirSync(join(outside, 'made'));
  const swapper = spawn(
    process.execPath,
    [
      join(projectRoot, 'dist/test/support/swap-paths.js'),
      ...['data', 'data-link'].map((name) => join(bed.bundle, name)),
    ],
    { stdio: 'ignore' },
  );
  const answers = new Set<number>();
  try {
    const mounts = ['a', 'b', 'c', 'd'].flatMap((name) => [
      { destination: `/data/${name}`, type: 'tmpfs', source: 'tmpfs' },
      { destination: `/data/${name}2/deep`, source: outside, options: ['bind'] },
    ]);
    bed.configure(
      change(inShell('true'), { mounts: [...(inShell('')['mounts'] as object[]), ...mounts] }),
    );
    for (let round = 0; round < 6; round++) {
      answers.add(bed.create().status);
      bed.call('delete', '--force', bed.id);
      assert.deepEqual(
        readdirSync(outside),
        ['secret'],
        'something was made on the host: path escape',
      );
    }
  } finally {
    swapper.kill('SIGKILL');
  }
  assert.ok([...answers].every((status) => status === 0 || status === 1));
});

test('C13 CVE-2023-25809 the control groups of the host are never there to be written to', async () => {
  using bed = new RuntimeBed();
  mkdirSync(join(bed.bundle, 'cg'));
  const [place = ''] = spawnSync(
    'find',
    ['/sys/fs/cgroup', '-maxdepth', '2', '-name', 'cgroup.procs'],
    {
      encoding: 'utf8',
    },
  ).stdout.split('\n');
  const group = join(place, '..').slice('/sys/fs/cgroup'.length);
  const name = `berth-${bed.id}`;
  const made = join('/sys/fs/cgroup', group, name);
  const naive = naiveRuntime(bed.bundle, [
    'mount --rbind /sys/fs/cgroup $root/cg',
    `mkdir $root/cg${group}/${name}`,
  ]);
  assert.equal(naive.status, 0, naive.stderr);
  assert.ok(existsSync(made), 'the control shows nothing');
  rmdirSync(made);
  const map = [{ containerID: 0, hostID: 0, size: 1 }];
  for (const linux of [
    { namespaces: [{ type: 'mount' }, { type: 'pid' }] },
    { namespaces: [{ type: 'mount' }, { type: 'user' }], uidMappings: map, gidMappings: map },
  ]) {
    const output = await bed.inside(
      change(inShell(`mkdir /cg${group}/${name}; mount -o remount,rw /cg; ls -d /cg${group}`), {
        hostname: '',
        linux,
        mounts: [{ destination: '/cg', type: 'cgroup', source: 'cgroup', options: ['rw'] }],
      }),
    );
    assert.match(output, /Read-only file system/);
    assert.match(output, new RegExp(`^/cg${group}$`, 'm'));
    assert.ok(!existsSync(made), 'A CONTROL GROUP OF THE HOST WAS MADE');
  }
});

test('C32 owners that cannot be mapped: the mount fails, and does not go on with those of the host', () => {
  using bed = new RuntimeBed();
  mkdirSync(join(bed.bundle, 'mapped'));
  const script = 'stat -c %u /mapped/self';
  // The control makes the mount, and passes over that its owners could not be mapped.
  const naive = naiveRuntime(bed.bundle, [
    'mount --bind /proc $root/mapped',
    'mount -o remount,bind,X-mount.idmap=b:0:100000:1000 $root/mapped 2>/dev/null',
    `chroot $root sh -c '${script}'`,
  ]);
  assert.equal(naive.stdout, '0\n', 'the control shows nothing');
  const mappings = [{ containerID: 0, hostID: 100_000, size: 1000 }];
  for (const option of ['idmap', 'ridmap']) {
    bed.configure(
      change(inShell(script), {
        mounts: [
          {
            ...{ destination: '/mapped', source: '/proc', options: ['rbind', option] },
            ...{ uidMappings: mappings, gidMappings: mappings },
          },
        ],
      }),
    );
    const created = bed.create();
    assert.equal(created.status, 1, 'the owners of the host were shown');
    assert.match(created.stderr, /mapping the owners of '\/proc'/);
    assert.equal(bed.state(), undefined);
  }
});

test('C01 CVE-2019-5736 a program that a runtime runs in the container by its path can be written to', () => {
  using bed = new RuntimeBed();
  // By this name it sleeps.
  const helper = bed.path('sleep');
  copyFileSync(join(bed.bundle, 'bin/busybox'), helper);
  const before = statSync(helper).size;
  // The control runs a file of the host in the container: the image opens it, keeps it, and writes when it no longer runs.
  const evil =
    'exec 6</proc/$0/exe; kill -9 $0; while readlink /proc/$0/exe; do sleep 0.05; done; echo evil >> /proc/self/fd/6';
  const naive = naiveRuntime(bed.bundle, [
    'mount -t proc proc $root/proc',
    `${helper} 60 & until [ "$(readlink /proc/$!/exe)" = ${helper} ]; do sleep 0.05; done`,
    `chroot $root sh -c '${evil}' $!`,
  ]);
  assert.notEqual(statSync(helper).size, before, `the control shows nothing: ${naive.stderr}`);
  const launcher = join(projectRoot, 'dist/launcher/launch');
  const own = readFileSync(launcher);
  bed.configure(inShell('sleep 1000'));
  bed.must(bed.create());
  bed.must(bed.call('start', bed.id));
  writeFileSync(join(bed.bundle, 'evil'), '#!/proc/self/exe\n', { mode: 0o755 });
  bed.call('exec', bed.id, '/evil');
  bed.call(
    'exec',
    bed.id,
    'sh',
    '-c',
    'for p in /proc/[0-9]*/exe; do exec 6<$p; echo evil >> /proc/self/fd/6; done',
  );
  assert.deepEqual(readFileSync(launcher), own, 'THE LAUNCHER WAS WRITTEN TO');
});
