import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

import { isErrno } from '../../src/errors/is-errno.js';
import { each } from '../support/each.js';
import { hostMounts } from '../support/host-mounts.js';
import { ContainerBed, ended, launcher, printed } from '../support/launched-container.js';

const NAMESPACES = [{ type: 'pid' }, { type: 'ipc' }, { type: 'mount' }];
const O_PATH = 0o10000000;

/** Opens what runs as a process, keeps hold of it past its end, and tries to write to it then: CVE-2019-5736. */
async function canWriteAfterwards(sealed: boolean): Promise<boolean> {
  using bed = new ContainerBed();
  const copy = bed.path('launch');
  copyFileSync(launcher, copy);
  bed.compile(['say', 'ready', ',', 'sleep', '1000']);
  // By this name the launcher takes itself for sealed already: the naive way.
  const child = spawn(copy, [bed.plan], {
    ...(sealed ? {} : { argv0: 'berth-launch' }),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await printed(child, 'ready');
  const held = openSync(`/proc/${child.pid}/exe`, O_PATH | constants.O_RDONLY);
  child.kill('SIGKILL');
  await ended(child);
  try {
    closeSync(openSync(`/proc/self/fd/${held}`, 'r+'));
    return true;
  } catch (error) {
    assert.ok(isErrno(error, 'EROFS'), String(error));
    return false;
  } finally {
    closeSync(held);
  }
}

test('C01 the launcher cannot be written to through /proc/self/exe', async () => {
  assert.equal(await canWriteAfterwards(true), false, 'the launcher can be overwritten');
});

test('C01 control: unsealed it can be', async () => {
  assert.equal(await canWriteAfterwards(false), true);
});

test('C02 a working directory on a host descriptor is refused', async () => {
  using bed = new ContainerBed();
  const host = bed.hostDirectory('host');
  const launchIn = (cwd: string): string => {
    bed.compile(['cwd'], { process: { cwd } });
    return execFileSync('/bin/sh', [
      '-c',
      // The socket of the unit is a directory of the host: the one descriptor that is meant to pass.
      'exec 3<"$2"; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$1" 2>&1 || true',
      launcher,
      bed.plan,
      host,
    ]).toString();
  };
  assert.equal(launchIn('/etc'), 'cwd=/etc\n');
  for (let fd = 3; fd < 12; fd++) {
    const got = await Promise.resolve()
      .then(() => launchIn(`/proc/self/fd/${fd}`))
      .catch((error: unknown) => (error as { stdout: Buffer }).stdout.toString());
    // The launcher's own descriptor of the root leads to where the program is anyway.
    const inside = fd > 3 && got === 'cwd=/\n';
    assert.ok(
      inside || got.includes('cannot start probe: entering the directory'),
      `descriptor ${fd} is a way out: ${got}`,
    );
  }
});

test('C03 masking never uses the /dev/null of the container', async () => {
  using bed = new ContainerBed();
  const dev = bed.hostDirectory('dev');
  symlinkSync('/secret', join(dev, 'null'));
  writeFileSync(join(bed.rootfs, 'secret'), 'secret\n');
  const lines = await bed.run(['stat', '/proc/meminfo', ',', 'cat', '/dev/null'], {
    mounts: [{ destination: '/dev', source: dev, options: ['bind'] }],
    linux: { namespaces: NAMESPACES, maskedPaths: ['/proc/meminfo'] },
  });
  assert.match(lines[0] ?? '', /^stat \/proc\/meminfo=20666 .*rdev=1:3$/);
  assert.equal(lines[1], 'secret', 'the test is void: the link was not there');
});

test('C05 what is written to /proc never goes to an image that stands there', async () => {
  using bed = new ContainerBed();
  const fake = bed.hostDirectory('fake-proc');
  const decoys = ['sys/kernel/msgmax', 'self/oom_score_adj', 'self/attr/exec'];
  for (const decoy of decoys) {
    mkdirSync(join(fake, decoy, '..'), { recursive: true });
    writeFileSync(join(fake, decoy), 'untouched');
  }
  bed.compile(['cat', '/proc/sys/kernel/msgmax'], {
    process: { oomScoreAdj: 5 },
    mounts: [{ destination: '/proc', source: fake, options: ['bind'] }],
    linux: { namespaces: NAMESPACES, sysctl: { 'kernel.msgmax': '65530' } },
  });
  const { status, stdout, stderr } = await bed.launch();
  assert.equal(status, 0, stderr);
  assert.equal(stdout, 'untouched\n', 'the test is void: the decoy was not there');
  for (const decoy of decoys) assert.equal(readFileSync(join(fake, decoy), 'utf8'), 'untouched');
});

interface LinkRow {
  readonly name: string;
  /** Makes the image; gives the destination of the mount. */
  readonly image: (bed: ContainerBed, outside: string) => string;
  readonly runs: boolean;
}

each<LinkRow>(
  'a mount stays in the root whatever links an image has',
  [
    {
      name: 'C06 an absolute link',
      image: (bed, outside) => {
        mkdirSync(join(bed.rootfs, outside), { recursive: true });
        symlinkSync(outside, join(bed.rootfs, 'linked'));
        return '/linked/sub';
      },
      runs: false,
    },
    {
      name: 'C06 a link with more .. than there are levels',
      image: (bed, outside) => {
        mkdirSync(join(bed.rootfs, outside, 'sub'), { recursive: true });
        symlinkSync(`../../../../../../../..${outside}`, join(bed.rootfs, 'linked'));
        return '/linked/sub';
      },
      runs: true,
    },
    {
      name: 'C07 a link to nothing',
      image: (bed, outside) => {
        symlinkSync(`${outside}/absent`, join(bed.rootfs, 'linked'));
        return '/linked/';
      },
      runs: false,
    },
    {
      name: 'C07 a way through a link to nothing',
      image: (bed, outside) => {
        symlinkSync(`${outside}/absent`, join(bed.rootfs, 'linked'));
        return '/linked/a/b';
      },
      runs: false,
    },
    {
      name: 'C07 a file where a directory is to be',
      image: (bed) => {
        writeFileSync(join(bed.rootfs, 'linked'), '');
        return '/linked';
      },
      runs: false,
    },
    {
      name: 'a link of /proc to the host',
      image: (bed) => {
        symlinkSync('/proc/self/root', join(bed.rootfs, 'linked'));
        return '/linked/tmp';
      },
      runs: false,
    },
  ],
  async ({ image, runs }) => {
    using bed = new ContainerBed();
    const outside = bed.hostDirectory('outside');
    const source = bed.hostDirectory('source');
    writeFileSync(join(source, 'mark'), 'mark\n');
    const destination = image(bed, outside);
    const mounts = hostMounts(outside);
    bed.compile(['cat', `${destination}/mark`], {
      mounts: [{ destination, source, options: ['bind'] }],
    });
    // The test bed makes mount points by path strings, and so falls for the links: what it made is the control.
    rmSync(outside, { recursive: true });
    mkdirSync(outside);
    const { status, stdout, stderr } = await bed.launch();
    assert.deepEqual([status, stdout], runs ? [0, 'mark\n'] : [246, ''], stderr);
    assert.deepEqual(readdirSync(outside), [], 'something was made on the host: path escape');
    assert.deepEqual(hostMounts(outside), mounts, 'a mount reached the host');
  },
);

test('C08 devices are made in the root even if /dev is a link to the host', async () => {
  using bed = new ContainerBed();
  const outside = bed.hostDirectory('outside');
  bed.compile(['stat', '/dev/null'], {});
  rmdirSync(join(bed.rootfs, 'dev'));
  mkdirSync(join(bed.rootfs, outside), { recursive: true });
  symlinkSync(outside, join(bed.rootfs, 'dev'));
  const { status, stdout } = await bed.launch();
  assert.equal(status, 0);
  assert.match(stdout, /rdev=1:3/);
  assert.deepEqual(readdirSync(outside), [], 'a device was made on the host: path escape');
});

test('C08 control: a path string follows that link to the host', () => {
  using bed = new ContainerBed();
  const outside = bed.hostDirectory('outside');
  symlinkSync(outside, join(bed.rootfs, 'dev'));
  execFileSync('mknod', [join(bed.rootfs, 'dev/null'), 'c', '1', '3']);
  assert.ok(existsSync(join(outside, 'null')));
});

test('C18 a root that is a link is refused', async () => {
  using bed = new ContainerBed();
  bed.compile(['say', 'ran']);
  renameSync(bed.rootfs, bed.path('elsewhere'));
  symlinkSync(bed.path('elsewhere'), bed.rootfs);
  const naive = execFileSync('chroot', [bed.rootfs, '/probe', 'say', 'ran']).toString();
  assert.match(naive, /^ran/, 'the control shows nothing');
  const { status, stdout, stderr } = await bed.launch();
  assert.deepEqual([status, stdout], [246, ''], stderr);
});

test('C12 C16 nothing of the caller is left: groups, capabilities, signal mask', () => {
  using bed = new ContainerBed();
  bed.compile(['ids', ',', 'cat', '/proc/self/status'], { process: { user: { uid: 7, gid: 7 } } });
  const caller = ['--groups', '4,20,27', '--inh-caps', '+kill'];
  // The control: who changes its user and nothing else.
  const user = ['setpriv', '--reuid', '7', '--regid', '7', '--keep-groups'];
  const naive = execFileSync('setpriv', [
    ...caller,
    ...user,
    'cat',
    '/proc/self/status',
  ]).toString();
  assert.match(naive, /^Groups:\t4 20 27/m, 'the control shows nothing');
  assert.match(naive, /^CapInh:\t0*[1-9a-f]/m, 'the control shows nothing');
  const output = execFileSync('setpriv', [...caller, launcher, bed.plan]).toString();
  assert.match(output, /^uid=7 gid=7 groups=7 /m);
  assert.match(output, /^CapInh:\t0+$/m);
  assert.match(output, /^SigBlk:\t0+$/m);
});
