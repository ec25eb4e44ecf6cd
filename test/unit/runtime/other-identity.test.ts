import assert from 'node:assert/strict';
import { test } from 'node:test';

import { compileLaunchPlan } from '../../../src/runtime/compile-launch-plan.js';
import { capabilityMask } from '../../../src/runtime/capabilities.js';
import { withIdentity } from '../../../src/runtime/other-identity.js';
import {
  encodeInstruction,
  INSTRUCTIONS,
  readTextField,
  splitPlan,
  type RawInstruction,
} from '../../../src/runtime/plan-format.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { runtimeConfig } from '../../support/runtime-config.js';

function planOf(process: object): readonly RawInstruction[] {
  const { plan } = compileLaunchPlan(runtimeConfig({ process }), {
    name: 'web',
    rootfs: '/var/lib/berth/web/rootfs',
    notify: false,
  });
  return splitPlan(plan);
}

const bodyOf = (plan: readonly RawInstruction[], name: keyof typeof INSTRUCTIONS): Buffer => {
  const body = plan.find(({ op }) => op === INSTRUCTIONS[name].op)?.body;
  assert.ok(body !== undefined, name);
  return body;
};

const mask = (...names: readonly string[]): bigint =>
  capabilityMask(names, (name) => {
    throw new Error(name);
  });

const BOUNDING = { bounding: ['CAP_KILL', 'CAP_CHOWN'] };

each(
  'withIdentity() gives',
  [
    {
      name: 'another user the rights of the plan',
      own: { user: { uid: 0, gid: 0, umask: 0o77 }, capabilities: BOUNDING },
      user: { uid: 5, gid: 6, groups: [7, 6], home: '/home/five' },
      want: {
        uid: 5,
        gid: 6,
        groups: [6, 7],
        umask: 0o77,
        bounding: mask('CAP_KILL', 'CAP_CHOWN'),
      },
      home: '/home/five',
    },
    {
      name: 'root where root runs it already',
      own: { user: { uid: 0, gid: 0, additionalGids: [4, 5, 6] }, capabilities: BOUNDING },
      user: { uid: 0, gid: 9, groups: [], home: undefined },
      want: { uid: 0, gid: 9, groups: [9], umask: 0o22, bounding: mask('CAP_KILL', 'CAP_CHOWN') },
      home: '/root',
    },
    {
      name: 'root what its config.json permits a program that is not root’s',
      own: {
        user: { uid: 33, gid: 33 },
        capabilities: { ...BOUNDING, permitted: ['CAP_KILL', 'CAP_MKNOD'] },
      },
      user: { uid: 0, gid: 0, groups: [], home: '/root' },
      want: { uid: 0, gid: 0, groups: [0], umask: 0o22, bounding: mask('CAP_KILL') },
      home: '/root',
    },
  ],
  ({ own, user, want, home }) => {
    const plan = withIdentity(planOf(own), { user });
    const { uid, gid, groups, umask, bounding } = want;
    const bytes = Buffer.alloc(groups.length * 4);
    groups.forEach((group, index) => bytes.writeUInt32LE(group, index * 4));
    assert.deepEqual(
      bodyOf(plan, 'USER'),
      encodeInstruction(['USER', uid, gid, bytes, umask, bounding]).body,
    );
    const homes = plan
      .filter(({ op }) => op === INSTRUCTIONS.ENVIRONMENT.op)
      .map(({ body }) => readTextField(body, 0))
      .filter((text) => text.startsWith('HOME='));
    assert.deepEqual(homes, [`HOME=${home}`]);
  },
);

test('withIdentity() changes nothing where nothing is given, and the folder alone where that is', () => {
  const own = planOf({ cwd: '/srv' });
  assert.deepEqual(withIdentity(own, {}), own);
  const moved = withIdentity(own, { directory: '/tmp/' });
  assert.equal(readTextField(bodyOf(moved, 'DIRECTORY'), 0), '/tmp');
  assert.deepEqual(
    moved.filter(({ op }) => op !== INSTRUCTIONS.DIRECTORY.op),
    own.filter(({ op }) => op !== INSTRUCTIONS.DIRECTORY.op),
  );
});

test('withIdentity() refuses a way out', async () => {
  await assertFails('RUNTIME_CONFIG_INVALID', () =>
    withIdentity(planOf({}), { directory: '/tmp/../../etc' }),
  );
});
