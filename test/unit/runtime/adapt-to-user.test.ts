import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ErrorCode } from '../../../src/errors/catalogue.js';
import { compileExecPlan } from '../../../src/runtime/compile-exec-plan.js';
import { compileLaunchPlan } from '../../../src/runtime/compile-launch-plan.js';
import type { CompiledLaunch, LaunchPlanOptions } from '../../../src/runtime/launch-plan.js';
import {
  INSTRUCTIONS,
  readTextField,
  splitPlan,
  type InstructionName,
  type RawInstruction,
} from '../../../src/runtime/plan-format.js';
import type { ServiceUser } from '../../../src/runtime/service-user.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { runtimeConfig, type ConfigChanges } from '../../support/runtime-config.js';

const USER: ServiceUser = {
  uid: 1000,
  gid: 1001,
  limits: { hard: Array.from({ length: 16 }, () => 4096), oomScoreAdj: 0 },
  controllers: ['memory', 'pids'],
};

function compile(
  changes: ConfigChanges = {},
  options: Partial<LaunchPlanOptions> = {},
): CompiledLaunch {
  const rootfs = '/home/web/.local/share/berth/web/rootfs';
  return compileLaunchPlan(runtimeConfig(changes), { name: 'web', rootfs, user: USER, ...options });
}

function of(plan: Buffer, name: InstructionName): readonly RawInstruction[] {
  return splitPlan(plan).filter(({ op }) => op === INSTRUCTIONS[name].op);
}

/** The texts of an instruction whose fields are texts. */
function texts(instruction: RawInstruction | undefined, count: number): readonly string[] {
  assert.ok(instruction);
  const found: string[] = [];
  for (let at = 0; found.length < count;) {
    found.push(readTextField(instruction.body, at));
    at += 4 + Math.ceil(instruction.body.readUInt32LE(at) / 4) * 4;
  }
  return found;
}

each<{
  name: string;
  changes: ConfigChanges;
  options?: Partial<LaunchPlanOptions>;
  want: readonly string[];
}>(
  'a user is the one id of the container',
  [
    { name: 'root', changes: {}, want: ['0 1000 1\n', '0 1001 1\n'] },
    {
      name: 'another id',
      changes: { process: { user: { uid: 33, gid: 34 } } },
      want: ['33 1000 1\n', '34 1001 1\n'],
    },
    {
      name: 'a name of the image',
      changes: { process: { user: { username: 'web' } } },
      options: { passwd: 'web:x:5:6::/:/x\n' },
      want: ['5 1000 1\n', '6 1001 1\n'],
    },
    {
      name: 'in the place of ids that only root can map',
      changes: {
        linux: {
          namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'user' }],
          uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
          gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
        },
      },
      want: ['0 1000 1\n', '0 1001 1\n'],
    },
  ],
  ({ changes, options, want }) => {
    const { plan, summary } = compile(changes, options);
    assert.deepEqual(texts(of(plan, 'USER_NAMESPACE')[0], 2), want);
    assert.equal(of(plan, 'ROOT_FIRST').length, 1);
    assert.ok(summary.namespaces.some(({ type }) => type === 'user'));
    // read-only, and what is forbidden where it lies stays so; owners are not mapped.
    const root = of(plan, 'ROOT')[0]?.body;
    assert.equal(root?.readUInt32LE(root.length - 4), 1 | 16);
  },
);

each<{ name: string; changes: ConfigChanges; warns: RegExp }>(
  'what a program can do without is left out for a user, with a warning',
  [
    {
      name: 'groups',
      changes: { process: { user: { uid: 0, gid: 0, additionalGids: [5, 6] } } },
      warns: /^groups 5, 6 are not given/,
    },
    {
      name: 'limits that only root can raise',
      changes: { process: { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 9000, hard: 9000 }] } },
      warns: /RLIMIT_NOFILE is 4096/,
    },
    { name: 'oomScoreAdj', changes: { process: { oomScoreAdj: -5 } }, warns: /oomScoreAdj/ },
    {
      name: 'a place before others',
      changes: { process: { scheduler: { policy: 'SCHED_FIFO', priority: 5 } } },
      warns: /process\.scheduler/,
    },
    {
      name: 'an I/O class before others',
      changes: { process: { ioPriority: { class: 'IOPRIO_CLASS_RT', priority: 1 } } },
      warns: /process\.ioPriority/,
    },
    {
      name: 'mappings',
      changes: {
        linux: {
          namespaces: [{ type: 'mount' }, { type: 'user' }],
          uidMappings: [{ containerID: 0, hostID: 1, size: 2 }],
          gidMappings: [{ containerID: 0, hostID: 1, size: 2 }],
        },
      },
      warns: /a user can map himself alone/,
    },
    {
      name: 'a limit whose controller the user does not have',
      changes: {
        linux: { namespaces: [{ type: 'mount' }], resources: { cpu: { shares: 512 } } },
      },
      warns: /^CPUWeight= has no effect: .* 'cpu'/,
    },
  ],
  ({ changes, warns }) => {
    const { warnings } = compile(changes);
    assert.ok(
      warnings.some((warning) => warns.test(warning)),
      warnings.join('\n'),
    );
    assert.equal(compile().warnings.length, 0, 'control: nothing to warn of');
  },
);

test('limits are lowered to what there is, and the kill score is the unit’s', () => {
  const { plan, directives } = compile({
    process: {
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 9000 }],
      oomScoreAdj: 300,
    },
  });
  const limit = of(plan, 'RLIMIT')[0]?.body;
  assert.deepEqual([limit?.readBigUInt64LE(4), limit?.readBigUInt64LE(12)], [1024n, 4096n]);
  assert.equal(of(plan, 'PROC_WRITE').length, 0);
  assert.ok(directives.some(([, key, value]) => key === 'OOMScoreAdjust' && value === '300'));
});

test('limits of memory and of processes stay settings of the unit, rules for devices do not', () => {
  const { directives, warnings } = compile({
    linux: {
      namespaces: [{ type: 'pid' }, { type: 'mount' }],
      resources: {
        memory: { limit: 1_000_000 },
        pids: { limit: 10 },
        devices: [{ allow: false, access: 'rwm' }],
      },
    },
  });
  const keys = directives.map(([, key]) => key);
  assert.ok(keys.includes('MemoryMax') && keys.includes('TasksMax'));
  assert.ok(!keys.some((key) => key.startsWith('Device')));
  assert.deepEqual(warnings, []);
});

each<{ name: string; changes: ConfigChanges; code: ErrorCode; says: RegExp }>(
  'what would be another container is refused to a user',
  [
    {
      name: 'a namespace by its path',
      changes: {
        linux: { namespaces: [{ type: 'mount' }, { type: 'network', path: '/run/netns/x' }] },
      },
      code: 'RUNTIME_UNSUPPORTED',
      says: /only root can join a network namespace/,
    },
    {
      name: 'the mounts of the host',
      changes: { linux: { namespaces: [{ type: 'pid' }] } },
      code: 'RUNTIME_UNSUPPORTED',
      says: /mount namespace/,
    },
    {
      name: 'a file system that only root mounts',
      changes: { mounts: [{ destination: '/data', type: 'ext4', source: '/dev/sda' }] },
      code: 'RUNTIME_UNSUPPORTED',
      says: /mounts\[6\]: only root can mount a file system of type .ext4./,
    },
    {
      name: 'a mount whose owners are mapped',
      changes: { mounts: [{ destination: '/data', source: '/srv', options: ['rbind', 'idmap'] }] },
      code: 'RUNTIME_UNSUPPORTED',
      says: /only root can map the owners/,
    },
    {
      name: 'a device that the host lacks',
      changes: {
        linux: {
          namespaces: [{ type: 'mount' }],
          devices: [{ type: 'c', path: '/dev/not-there', major: 250, minor: 1 }],
        },
      },
      code: 'RUNTIME_UNSUPPORTED',
      says: /not-there/,
    },
    {
      name: 'hooks',
      changes: { hooks: { prestart: [{ path: '/bin/true' }] } },
      code: 'RUNTIME_UNSUPPORTED',
      says: /hooks/,
    },
  ],
  async ({ changes, code, says }) => {
    const { message } = await assertFails(code, () => compile(changes));
    assert.match(message, says);
  },
);

test('a user’s binds keep what is locked, and take what lies below with them', () => {
  const { plan } = compile({
    mounts: [{ destination: '/data', source: '/srv', options: ['bind', 'ro', 'exec', 'noatime'] }],
  });
  const body = of(plan, 'BIND').find(({ body: one }) => readTextField(one, 0) === '/srv')?.body;
  assert.ok(body);
  const at = 4 + 8 + 4 + 8;
  const words = Array.from({ length: 5 }, (_, index) => body.readUInt32LE(at + 4 * index));
  assert.deepEqual(words, [1, 1, 0, 1, 0]);
});

test('a program that joins a container has variables of its own in the place of the container’s', () => {
  const { plan } = compile();
  const own = splitPlan(plan).filter(({ op }) => op === INSTRUCTIONS.ENVIRONMENT.op);
  const [first] = own.map(({ body }) => readTextField(body, 0));
  const name = first?.split('=')[0] ?? '';
  assert.notEqual(name, '');
  const exec = compileExecPlan(plan, {
    args: ['/bin/true'],
    joins: [{ type: 'mount', path: '/proc/self/fd/3/ns/mnt' }],
    root: '/proc/self/fd/3/root',
    env: [`${name}=other`, 'NEW=a=b'],
  });
  const seen = splitPlan(exec)
    .filter(({ op }) => op === INSTRUCTIONS.ENVIRONMENT.op)
    .map(({ body }) => readTextField(body, 0));
  assert.equal(seen.length, own.length + 1);
  assert.deepEqual(
    seen.filter((text) => text.startsWith(`${name}=`)),
    [`${name}=other`],
  );
  assert.ok(seen.includes('NEW=a=b'));
});

test('a program that joins a user’s container begins as its root', () => {
  const { plan } = compile();
  const exec = compileExecPlan(plan, {
    args: ['/bin/true'],
    joins: [
      { type: 'user', path: '/proc/self/fd/3/ns/user' },
      { type: 'pid', path: '/proc/self/fd/3/ns/pid' },
      { type: 'mount', path: '/proc/self/fd/3/ns/mnt' },
    ],
    root: '/proc/self/fd/3/root',
    env: [],
  });
  const order = splitPlan(exec).map(({ op }) => op);
  const [first, streams, enter] = (['ROOT_FIRST', 'STREAMS', 'ENTER'] as const).map((name) =>
    order.indexOf(INSTRUCTIONS[name].op),
  );
  assert.ok(first !== undefined && streams !== undefined && enter !== undefined);
  assert.ok(first > 0 && first < streams && streams < enter, order.join(' '));
});
