import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { isErrno } from '../../src/errors/is-errno.js';
import { compileLaunchPlan } from '../../src/runtime/compile-launch-plan.js';
import { projectRoot } from '../support/cache-folder.js';
import { each } from '../support/each.js';
import { ended, launcher, printed } from '../support/launched-container.js';
import { runCommand } from '../support/run-command.js';
import { runtimeConfig } from '../support/runtime-config.js';
import { asUser, SERVICE_USER, UserBed } from '../support/user-bed.js';

/** Statuses of the launcher. */
const PLAN = 245;
const NAMESPACE = 226;
const MOUNT = 246;
const FORBIDDEN = 252;

const OTHER = 1001;

each<{ name: string; spoil: (plan: string) => void; status: number; says: RegExp }>(
  "a user's launcher takes a plan of root's or of his own",
  [
    { name: 'control: his own', spoil: () => undefined, status: 0, says: /^$/ },
    {
      name: "control: root's",
      spoil: (plan) => {
        chownSync(plan, 0, 0);
      },
      status: 0,
      says: /^$/,
    },
    {
      name: "not another user's",
      spoil: (plan) => {
        chownSync(plan, OTHER, OTHER);
      },
      status: PLAN,
      says: /the launch plan is others' to write, refusing/,
    },
    {
      name: 'not one that a group may write',
      spoil: (plan) => {
        chmodSync(plan, 0o664);
      },
      status: PLAN,
      says: /the launch plan is others' to write, refusing/,
    },
    {
      name: 'not one that all may write',
      spoil: (plan) => {
        chmodSync(plan, 0o646);
      },
      status: PLAN,
      says: /the launch plan is others' to write, refusing/,
    },
  ],
  async ({ spoil, status, says }) => {
    using bed = new UserBed();
    bed.compile(['say', 'ran']);
    spoil(bed.plan);
    const result = await bed.launch();
    assert.match(result.stderr, says);
    assert.equal(result.status, status);
    assert.equal(result.stdout, status === 0 ? 'ran\n' : '', 'THE PROGRAM RAN');
  },
);

test("a plan that needs root's rights does nothing at all for a user", async () => {
  using bed = new UserBed();
  const pidFile = bed.path('pid');
  const config = runtimeConfig({ process: { args: ['/probe', 'say', 'ran'] } });
  const { plan } = compileLaunchPlan(config, { name: 'probe', rootfs: bed.rootfs, pidFile });
  bed.compile([]);
  writeFileSync(bed.plan, plan);
  chownSync(bed.plan, 0, 0);
  const { status, stderr, stdout } = await bed.launch();
  assert.deepEqual([status, stdout], [PLAN, '']);
  assert.match(stderr, /carrying out a plan that is for root: 'probe'/);
  assert.ok(!existsSync(pidFile), 'IT WAS HALF DONE');
  const asRoot = await runCommand([launcher, bed.plan]);
  assert.deepEqual([asRoot.status, asRoot.stdout], [0, 'ran\n'], 'control: root can');
  assert.ok(existsSync(pidFile), 'control: it would have been made');
});

test('a plan that was made for another user starts nothing', async () => {
  using bed = new UserBed();
  bed.compile(['say', 'ran'], {}, { user: { ...SERVICE_USER, uid: OTHER, gid: OTHER } });
  const { status, stderr, stdout } = await bed.launch();
  assert.deepEqual([status, stdout], [NAMESPACE, '']);
  assert.match(stderr, /writing to 'uid_map': Operation not permitted/);
});

test('C18 a checkout whose place is taken by a link is no root', async () => {
  using bed = new UserBed();
  const secret = bed.path('secret');
  writeFileSync(secret, 'of the host\n', { mode: 0o644 });
  bed.compile(['cat', secret]);
  renameSync(bed.rootfs, bed.path('moved'));
  symlinkSync('/', bed.rootfs);
  const taken = await bed.launch();
  assert.equal(taken.status, MOUNT, taken.stderr);
  assert.ok(!taken.stdout.includes('of the host'), 'THE HOST IS THE ROOT');
  // Control: with that root the program would have read it.
  const naive = spawnSync(join(bed.path('moved'), 'probe'), ['cat', secret], { encoding: 'utf8' });
  assert.match(naive.stdout, /of the host/);
});

test('C32 a setuid program of root is nobody special in there', async () => {
  using bed = new UserBed();
  const words = ['cat', '/proc/self/status'];
  bed.compile(words, { process: { args: ['/suid', ...words], user: { uid: 33, gid: 34 } } });
  const suid = join(bed.rootfs, 'suid');
  copyFileSync(join(bed.rootfs, 'probe'), suid);
  chownSync(suid, 0, 0);
  chmodSync(suid, 0o6755);
  const { status, stdout, stderr } = await bed.launch();
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^Uid:\t33\t33\t33\t33$/m, 'IT BECAME ANOTHER');
  assert.match(stdout, /^Gid:\t34\t34\t34\t34$/m);
  const naive = await runCommand([...asUser(), suid, ...words]);
  assert.match(naive.stdout, /^Uid:\t1000\t0\t0\t0$/m, 'control: outside it would');
});

test('a launcher that is setuid serves nobody', async () => {
  using bed = new UserBed();
  bed.compile(['say', 'ran']);
  const suid = bed.path('launch');
  copyFileSync(launcher, suid);
  chmodSync(suid, 0o755);
  const plain = await runCommand([...asUser(), suid, bed.plan]);
  assert.equal(plain.stdout, 'ran\n', 'control: without the bit it runs');
  chmodSync(suid, 0o4755);
  chownSync(bed.plan, 0, 0);
  const { status, stdout, stderr } = await runCommand([...asUser(), suid, bed.plan]);
  assert.deepEqual([status, stdout], [PLAN, ''], stderr);
});

/** Tries to write to what a process runs once it has ended, as a container could that kept it open (CVE-2019-5736). */
async function overwrite(
  bed: UserBed,
  words: readonly string[],
  argv0: string,
): Promise<{ readonly program: string; readonly error: string | undefined }> {
  const { uid, gid } = SERVICE_USER;
  const [file = '', ...args] = words;
  const child = spawn(file, [...args, bed.plan], {
    argv0,
    uid,
    gid,
    env: {},
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await printed(child, 'ready');
  const exe = `/proc/${child.pid ?? 0}/exe`;
  const program = readlinkSync(exe);
  const held = openSync(exe, 'r');
  const end = ended(child);
  child.kill('SIGTERM');
  await end;
  try {
    const writable = openSync(`/proc/self/fd/${held}`, 'r+');
    try {
      writeSync(writable, 'X');
      return { program, error: undefined };
    } finally {
      closeSync(writable);
    }
  } catch (error) {
    if (isErrno(error, 'EPERM', 'EROFS')) return { program, error: 'refused' };
    throw error;
  } finally {
    closeSync(held);
  }
}

test('C01 a launcher that is the user’s own is run as a copy that nobody can change', async () => {
  using bed = new UserBed();
  bed.compile(['say', 'ready', ',', 'sleep', '10']);
  const own = bed.path('launch');
  copyFileSync(launcher, own);
  chmodSync(own, 0o755);
  bed.giveAway();
  const sealed = await overwrite(bed, [own], own);
  assert.match(sealed.program, /^\/memfd:berth-launch/);
  assert.equal(sealed.error, 'refused', 'THE LAUNCHER WAS OVERWRITTEN');
  // Control: a launcher that believes to be sealed runs as it lies there, and is spoiled by that.
  const naive = await overwrite(bed, [own], 'berth-launch');
  assert.deepEqual(naive, { program: own, error: undefined });
  assert.equal(readFileSync(own).toString('latin1', 0, 4), 'XELF');
});

/** Runs a program as uid 1000 of a user namespace whose own limits the first words may change. */
function inNamespace(first: string, words: readonly string[]): ReturnType<typeof spawnSync> {
  const script = `${first}; exec setpriv --inh-caps=-all --ambient-caps=-all "$@"`;
  const outer = [
    '--user',
    '--map-user=1000',
    '--map-group=1000',
    '--keep-caps',
    'sh',
    '-c',
    script,
    'sh',
  ];
  return spawnSync('unshare', [...outer, ...words], { encoding: 'utf8' });
}

const NO_NAMESPACES = 'echo 0 > /proc/sys/user/max_user_namespaces';

test('where users may make no user namespaces, one line says so, with a status of its own', () => {
  using bed = new UserBed();
  bed.compile(['say', 'ran']);
  // Inside, root of this machine is the user.
  execFileSync('chown', ['-R', '0:0', bed.path('.')]);
  const fine = inNamespace(':', [launcher, bed.plan]);
  assert.deepEqual([fine.status, fine.stdout], [0, 'ran\n'], `control: ${String(fine.stderr)}`);
  const { status, stderr, stdout } = inNamespace(NO_NAMESPACES, [launcher, bed.plan]);
  assert.deepEqual([status, stdout], [FORBIDDEN, '']);
  assert.match(
    String(stderr),
    /^berth: cannot start probe: .*'user.max_user_namespaces': [^\n]*\n$/,
  );
});

test('installing finds out that users may make no user namespaces, and names the setting', () => {
  const program = `
    import { checkUserLaunch } from '${projectRoot}/dist/src/runtime/check-user-launch.js';
    import { findServiceUser } from '${projectRoot}/dist/src/runtime/service-user.js';
    try {
      await checkUserLaunch('${launcher}', findServiceUser());
      console.log('fine');
    } catch (error) { console.log(error.code, error.hint, error.message); }`;
  const words = [process.execPath, '--input-type=module', '-e', program];
  assert.equal(inNamespace(':', words).stdout, 'fine\n', 'control');
  assert.match(
    String(inNamespace(NO_NAMESPACES, words).stdout),
    /^NAMESPACES_FORBIDDEN root can permit it: sysctl user\.max_user_namespaces is 0 this host does not let a user start containers: making a user namespace/,
  );
});
