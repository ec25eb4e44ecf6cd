import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import {
  encodePlan,
  INSTRUCTIONS,
  readTextField,
  splitPlan,
  type Instruction,
} from '../../../src/runtime/plan-format.js';
import { compileRootTrial, mountsSealedRoot, sealPlan } from '../../../src/runtime/seal-plan.js';
import { assertFails } from '../../support/assert-fails.js';
import { projectRoot } from '../../support/cache-folder.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

const MOUNT = 0x0002_0000;
const SOURCE = {
  image: '/var/lib/berth/web/root.erofs',
  objects: '/ostree/repo/objects',
  digest: Buffer.alloc(32, 0xab),
};

function planWith(root: readonly Instruction[], more: readonly Instruction[] = []): Buffer {
  return encodePlan([
    ['NAME', 'web'],
    ['UNSHARE', MOUNT, ''],
    ...root,
    ...more,
    ['PIVOT', 0],
    ['ARGUMENT', '/web'],
    ['EXEC', 0, '/bin'],
  ]);
}

function namesOf(plan: Buffer): readonly string[] {
  const names = new Map<number, string>(
    Object.entries(INSTRUCTIONS).map(([name, { op }]) => [op, name]),
  );
  return splitPlan(plan).map(({ op }) => names.get(op) ?? '');
}

each(
  'a sealed root comes before a root that is',
  [
    { name: 'read-only', flags: 1, more: [], want: [0, 1] },
    { name: 'mapped: its names are, not what lies over them', flags: 3, more: [], want: [2, 1] },
    { name: 'volatile', flags: 5, more: [['VOLATILE_ROOT', '50%']] as const, want: [0, 5] },
  ],
  ({ flags, more, want }) => {
    const plan = sealPlan(planWith([['ROOT', '/var/lib/berth/web/rootfs', flags]], more), SOURCE);
    const volatile = more.map(([name]) => name);
    assert.deepEqual(namesOf(plan).slice(2, -3), ['SEALED_ROOT', 'ROOT', ...volatile]);
    const steps = splitPlan(plan);
    const flagsOf = (at: number): number | undefined =>
      steps[at]?.body.readUInt32LE(steps[at].body.length - 4);
    assert.deepEqual([flagsOf(2), flagsOf(3)], want);
    assert.equal(readTextField(steps[2]?.body ?? Buffer.alloc(8), 0), SOURCE.image);
    assert.ok(mountsSealedRoot(plan, SOURCE.digest));
    assert.ok(!mountsSealedRoot(plan, Buffer.alloc(32, 0xac)));
    assert.deepEqual(namesOf(compileRootTrial(plan)), [
      ...['NAME', 'UNSHARE', 'SEALED_ROOT', 'ROOT', ...volatile, 'PIVOT', 'ARGUMENT', 'EXEC'],
    ]);
  },
);

const ROOT: Instruction = ['ROOT', '/var/lib/berth/web/rootfs', 1];

each(
  'no sealed root for a container',
  [
    {
      name: 'that joins a mount namespace',
      plan: planWith([['JOIN', MOUNT, '/proc/1/ns/mnt'], ROOT]),
    },
    { name: 'with its mounts on the host', plan: planWith([ROOT, ['PLACE', '/run/web']]) },
    { name: 'of a user', plan: planWith([['ROOT_FIRST'], ROOT]) },
  ],
  async ({ plan }) => {
    await assertFails('RUNTIME_UNSUPPORTED', () => sealPlan(plan, SOURCE));
  },
);

test('the launcher mounts nothing that is not sealed', () => {
  using dir = new TempDir('/dev/shm');
  mkdirSync(`${dir.path}/objects`);
  writeFileSync(`${dir.path}/image`, 'an image');
  const start = (image: string): { status: number | null; stderr: string } => {
    const source = { ...SOURCE, image, objects: `${dir.path}/objects` };
    writeFileSync(`${dir.path}/plan`, compileRootTrial(sealPlan(planWith([ROOT]), source)));
    const launcher = `${projectRoot}/dist/launcher/launch`;
    return spawnSync(launcher, [`${dir.path}/plan`], { encoding: 'utf8' });
  };
  const unsealed = start(`${dir.path}/image`);
  assert.equal(unsealed.status, 246);
  assert.match(
    unsealed.stderr,
    /^berth: cannot start web: measuring the sealed root '.*\/image': [^\n]+\n$/,
  );
  const missing = start(`${dir.path}/none`);
  assert.equal(missing.status, 246);
  assert.match(missing.stderr, /opening the sealed root '.*\/none': No such file or directory\n$/);
});
