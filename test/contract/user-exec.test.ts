import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { compileExecPlan } from '../../src/runtime/compile-exec-plan.js';
import type { LinuxNamespace } from '../../src/runtime/compile-namespaces.js';
import { NAMESPACE_FILES, ownNamespaces } from '../../src/runtime/own-namespaces.js';
import { compileRunPlan } from '../../src/runtime/compile-run-plan.js';
import { ended, launcher, printed } from '../support/launched-container.js';
import { SYSTEM_MOUNTS } from '../../src/oci/usual-config.js';
import { asUser, SERVICE_USER, UserBed } from '../support/user-bed.js';

const NAMESPACES = ['pid', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type }));

/** Runs a program in a container beside its own, as `berth exec` has it done; gives what it printed. */
async function exec(
  bed: UserBed,
  {
    pid,
    args,
    user = SERVICE_USER,
  }: { pid: number; args: readonly string[]; user?: typeof SERVICE_USER },
): Promise<{ readonly status: number | null; readonly text: string }> {
  const folder = openSync(`/proc/${pid}`, 'r');
  const types: readonly LinuxNamespace[] = ownNamespaces(`/proc/self/fd/${folder}`);
  const plan = compileExecPlan(readFileSync(bed.plan), {
    args,
    joins: types.map((type) => ({ type, path: `/proc/self/fd/3/ns/${NAMESPACE_FILES[type]}` })),
    root: '/proc/self/fd/3/root',
    env: ['EXTRA=1'],
  });
  const path = bed.path('exec.plan');
  writeFileSync(path, plan);
  bed.giveAway();
  const file = openSync(path, 'r');
  const [program = '', ...words] = asUser(user);
  const child = spawn(program, [...words, launcher, '/proc/self/fd/4'], {
    stdio: ['ignore', 'pipe', 'pipe', folder, file],
    env: { PATH: process.env['PATH'] },
  });
  closeSync(folder);
  closeSync(file);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  }
  const { status } = await ended(child);
  return { status, text };
}

/** The container's program, below the launcher that stayed. */
function programOf(launcherPid: number | undefined): number {
  const pid = String(launcherPid);
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}

test('a user runs programs in his container, with its rights and none of his own', async () => {
  using bed = new UserBed();
  bed.compile(['say', 'ready', ',', 'sleep', '1000'], {
    hostname: 'box',
    linux: { namespaces: NAMESPACES },
    mounts: SYSTEM_MOUNTS.slice(-1),
    annotations: { 'berth.log-pipes': 'true' },
    process: { user: { uid: 33, gid: 34 }, noNewPrivileges: true },
  });
  const child = bed.start();
  await printed(child, 'ready');
  const pid = programOf(child.pid);
  try {
    const args = '/probe ids , hostname , env , append /proc/self/fd/1 , cat /proc/self/status';
    const { status, text } = await exec(bed, { pid, args: args.split(' ') });
    assert.equal(status, 0, text);
    for (const line of [/^uid=33 gid=34 /m, /^hostname=box$/m, /^env EXTRA=1$/m, /^append=ok$/m])
      assert.match(text, line);
    assert.match(text, /^CapEff:\t0{16}$/m);
    assert.match(text, /^NoNewPrivs:\t1$/m);
    const other = { ...SERVICE_USER, uid: 1001, gid: 1001 };
    writeFileSync(bed.path('exec.plan'), '');
    const foreign = await exec(bed, { pid, args: ['/probe', 'ids'], user: other });
    assert.notEqual(foreign.status, 0, 'SOMEBODY ELSE RAN A PROGRAM IN IT');
  } finally {
    child.kill('SIGTERM');
    await ended(child);
  }
});

test('a user runs another program in the place of the container’s own', async () => {
  using bed = new UserBed();
  bed.compile(['say', 'own'], {}, { volatileRoot: {} });
  writeFileSync(
    bed.plan,
    compileRunPlan(readFileSync(bed.plan), {
      args: ['/probe', 'say', 'other'],
      env: [],
      identity: {},
    }),
  );
  const { status, stdout } = await bed.launch();
  assert.deepEqual([status, stdout], [0, 'other\n']);
});
