import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import fc from 'fast-check';

import { OperationalError } from '../../src/errors/operational-error.js';
import { parseRuntimeConfig } from '../../src/oci/parse-runtime-config.js';
import { checkNamespacePaths } from '../../src/runtime/check-namespace-paths.js';
import { compileAffinity, compileSchedulingCalls } from '../../src/runtime/compile-scheduling.js';
import { compileLaunchPlan } from '../../src/runtime/compile-launch-plan.js';
import { splitPlan } from '../../src/runtime/plan-format.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import {
  runtimeConfig,
  runtimeConfigDocument,
  type ConfigChanges,
} from '../support/runtime-config.js';

const OPTIONS = { name: 'box', rootfs: '/nowhere/rootfs', standalone: true } as const;
const NAMESPACES = [{ type: 'pid' }, { type: 'mount' }];

function compile(changes: ConfigChanges): void {
  compileLaunchPlan(runtimeConfig(changes), OPTIONS);
}

each<{ name: string; changes: ConfigChanges; path: RegExp }>(
  'C26 a config.json is refused with the path to what is wrong:',
  [
    { name: 'no arguments', changes: { process: { args: [] } }, path: /process\.args/ },
    { name: 'no program', changes: { process: { args: [''] } }, path: /process\.args/ },
    { name: 'arguments as text', changes: { process: { args: 'sh' } }, path: /process\.args/ },
    {
      name: 'M27 a user that is no number of 32 bits',
      changes: { process: { user: { uid: 2 ** 32, gid: 0 } } },
      path: /process\.user\.uid/,
    },
    {
      name: 'a group that means "no change"',
      changes: { process: { user: { uid: 0, gid: 0, additionalGids: [2 ** 32 - 1] } } },
      path: /process\.user\.additionalGids\[0\]/,
    },
    { name: 'a relative directory', changes: { process: { cwd: 'tmp' } }, path: /process\.cwd/ },
    {
      name: 'a list as an object',
      changes: { linux: { namespaces: { type: 'pid' } } },
      path: /linux\.namespaces/,
    },
    {
      name: 'a namespace without a type',
      changes: { linux: { namespaces: [{ path: '/proc/1/ns/pid' }] } },
      path: /linux\.namespaces\[0\]\.type/,
    },
    {
      name: 'a range of ids past the last',
      changes: {
        linux: {
          namespaces: NAMESPACES,
          uidMappings: [{ containerID: 2, hostID: 0, size: 4_294_967_295 }],
        },
      },
      path: /linux\.uidMappings\[0\]\.size/,
    },
    {
      name: 'ids that are mapped twice',
      changes: {
        linux: {
          namespaces: [...NAMESPACES, { type: 'user' }],
          uidMappings: [
            { containerID: 0, hostID: 1000, size: 10 },
            { containerID: 9, hostID: 5000, size: 10 },
          ],
          gidMappings: [{ containerID: 0, hostID: 1000, size: 10 }],
        },
      },
      path: /containerID 9 is mapped twice/,
    },
    {
      name: 'owners of one kind alone',
      changes: {
        mounts: [
          {
            destination: '/x',
            source: '/y',
            options: ['bind'],
            uidMappings: [{ containerID: 0, hostID: 1, size: 1 }],
          },
        ],
      },
      path: /mounts\[6\]\.uidMappings/,
    },
    {
      name: 'C25 an unknown resource limit',
      changes: { process: { rlimits: [{ type: 'RLIMIT_X', soft: 1, hard: 1 }] } },
      path: /process\.rlimits.*RLIMIT_X/,
    },
    {
      name: 'C25 an unknown namespace',
      changes: { linux: { namespaces: [{ type: 'moon' }] } },
      path: /linux\.namespaces\[0\].*moon/,
    },
    {
      name: 'C25 an unknown scheduler',
      changes: { process: { scheduler: { policy: 'SCHED_X' } } },
      path: /process\.scheduler\.policy.*SCHED_X/,
    },
    {
      name: 'C25 an unknown class of I/O',
      changes: { process: { ioPriority: { class: 'IOPRIO_CLASS_X', priority: 1 } } },
      path: /process\.ioPriority\.class/,
    },
    {
      name: 'a memory policy without nodes',
      changes: { linux: { namespaces: NAMESPACES, memoryPolicy: { mode: 'MPOL_BIND' } } },
      path: /linux\.memoryPolicy\.nodes/,
    },
    {
      name: 'nodes that are none',
      changes: {
        linux: { namespaces: NAMESPACES, memoryPolicy: { mode: 'MPOL_BIND', nodes: '0-9999' } },
      },
      path: /linux\.memoryPolicy\.nodes/,
    },
    {
      name: 'an errno for an action that has none',
      changes: {
        linux: {
          namespaces: NAMESPACES,
          seccomp: {
            defaultAction: 'SCMP_ACT_ALLOW',
            syscalls: [{ names: ['socket'], action: 'SCMP_ACT_LOG', errnoRet: 1 }],
          },
        },
      },
      path: /linux\.seccomp.*SCMP_ACT_LOG/,
    },
    {
      name: 'a question that nobody answers',
      changes: {
        linux: {
          namespaces: NAMESPACES,
          seccomp: {
            defaultAction: 'SCMP_ACT_ALLOW',
            syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
          },
        },
      },
      path: /listenerPath/,
    },
    {
      name: 'metadata for nobody',
      changes: {
        linux: {
          namespaces: NAMESPACES,
          seccomp: { defaultAction: 'SCMP_ACT_ALLOW', listenerMetadata: 'x' },
        },
      },
      path: /listenerMetadata/,
    },
    {
      name: 'a terminal of more lines than there can be (consoleSize)',
      changes: { process: { consoleSize: { height: 65_536, width: 1 } } },
      path: /process\.consoleSize\.height/,
    },
    {
      name: 'owners by a user namespace that is not there',
      changes: { mounts: [{ destination: '/x', source: '/y', options: ['bind', 'idmap'] }] },
      path: /mounts\[6\].*idmap/,
    },
    {
      name: 'an annotation without a name',
      changes: { annotations: { '': 'x' } },
      path: /annotations/,
    },
    {
      name: 'a flag of a personality',
      changes: {
        linux: { namespaces: NAMESPACES, personality: { domain: 'LINUX', flags: ['X'] } },
      },
      path: /linux\.personality\.flags/,
    },
    {
      name: 'a version of another specification',
      changes: { ociVersion: '2.0.0' },
      path: /ociVersion/,
    },
    {
      name: 'processors that are none',
      changes: { process: { execCPUAffinity: { initial: '0;1' } } },
      path: /process\.execCPUAffinity\.initial/,
    },
  ],
  async ({ changes, path }) => {
    const error = await assertFails('RUNTIME_CONFIG_INVALID', () => {
      compile(changes);
    });
    assert.match(error.message, path);
  },
);

each<{ name: string; changes: ConfigChanges }>(
  'what this build does not do is refused by name:',
  [
    { name: 'intelRdt', changes: { linux: { namespaces: NAMESPACES, intelRdt: { closID: 'x' } } } },
    {
      name: 'netDevices',
      changes: { linux: { namespaces: NAMESPACES, netDevices: { eth0: {} } } },
    },
  ],
  async ({ name, changes }) => {
    const error = await assertFails('RUNTIME_UNSUPPORTED', () => {
      compile(changes);
    });
    assert.match(error.message, new RegExp(`linux\\.${name}`));
  },
);

test('C26 no process at all is refused, and members that nobody knows are ignored', async () => {
  const document = runtimeConfigDocument({ xyz: { a: [1] }, linux: { namespaces: NAMESPACES } });
  parseRuntimeConfig(JSON.stringify(document));
  const { process, ...without } = document;
  assert.ok(process !== undefined);
  await assertFails('RUNTIME_CONFIG_INVALID', () => parseRuntimeConfig(JSON.stringify(without)));
});

test('C26 ten thousand mounts are refused', async () => {
  const mounts = Array.from({ length: 10_000 }, (_, index) => ({
    destination: `/m${index}`,
    type: 'tmpfs',
    source: 'tmpfs',
  }));
  await assertFails('RUNTIME_CONFIG_INVALID', () => {
    compile({ mounts });
  });
});

test('C25 a namespace by a path has to be of its type, and there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-test-'));
  try {
    writeFileSync(join(folder, 'file'), '');
    checkNamespacePaths([
      { type: 'network', path: '/proc/self/ns/net' },
      { type: 'pid', path: undefined },
      { type: 'time', path: '/proc/self/ns/time' },
    ]);
    for (const [path, why] of [
      ['/proc/self/ns/uts', /a uts namespace, not a network/],
      [join(folder, 'file'), /no namespace/],
      [join(folder, 'nothing'), /cannot open/],
      ['/dev/null', /no namespace/],
    ] as const) {
      const error = await assertFails('RUNTIME_CONFIG_INVALID', () => {
        checkNamespacePaths([{ type: 'network', path }]);
      });
      assert.match(error.message, why);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('compileAffinity() gives the bits of a list', async () => {
  const [instruction] = compileAffinity('0-2, 9', 'x');
  assert.deepEqual(instruction, ['AFFINITY', 0, 2, Buffer.from([0b111, 0b10])]);
  assert.deepEqual(compileAffinity(undefined, 'x'), []);
  for (const list of ['3-1', '9999', 'a', '1,,2']) {
    await assertFails('RUNTIME_CONFIG_INVALID', () => compileAffinity(list, 'x'));
  }
});

test('compileSchedulingCalls() gives a deadline in the bytes of the kernel', () => {
  const { process } = runtimeConfig({
    process: {
      scheduler: { policy: 'SCHED_DEADLINE', runtime: 10, deadline: 20, period: 30 },
      consoleSize: { height: 24, width: 80 },
    },
  });
  const [instruction] = compileSchedulingCalls(process);
  const attr = Buffer.alloc(56);
  attr.writeUInt32LE(56, 0);
  attr.writeUInt32LE(6, 4);
  attr.writeUInt32LE(10, 24);
  attr.writeUInt32LE(20, 32);
  attr.writeUInt32LE(30, 40);
  assert.deepEqual(instruction, ['SCHEDULE', 0, attr, 0]);
  assert.deepEqual(process.consoleSize, { height: 24, width: 80 });
});

/** A document with something else at one place: what is there is found by walking it. */
function replaceAt(value: unknown, place: number, by: unknown): { value: unknown; left: number } {
  if (place === 0) return { value: by, left: -1 };
  let left = place - 1;
  if (typeof value !== 'object' || value === null) return { value, left };
  const entries = Object.entries(value).map(([key, child]) => {
    if (left < 0) return [key, child] as const;
    const changed = replaceAt(child, left, by);
    left = changed.left;
    return [key, changed.value] as const;
  });
  const made: unknown = Array.isArray(value)
    ? entries.map(([, child]) => child as unknown)
    : Object.fromEntries(entries);
  return { value: made, left };
}

/** A document that says something of almost everything. */
const FULL = runtimeConfigDocument({
  hostname: 'box',
  domainname: 'example',
  annotations: { a: 'b' },
  process: {
    terminal: false,
    consoleSize: { height: 1, width: 2 },
    user: { uid: 1, gid: 2, umask: 18, additionalGids: [3] },
    capabilities: { bounding: ['CAP_CHOWN'], permitted: ['CAP_CHOWN'] },
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 2 }],
    oomScoreAdj: 1,
    scheduler: { policy: 'SCHED_BATCH', nice: 1, flags: ['SCHED_FLAG_RESET_ON_FORK'] },
    ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 3 },
    execCPUAffinity: { initial: '0', final: '1' },
  },
  mounts: [{ destination: '/data', source: '/data', options: ['rbind', 'rro'] }],
  linux: {
    namespaces: [...NAMESPACES, { type: 'uts' }, { type: 'ipc' }, { type: 'time' }],
    timeOffsets: { boottime: { secs: 1, nanosecs: 2 } },
    devices: [{ type: 'c', path: '/dev/x', major: 1, minor: 3, fileMode: 438, uid: 0, gid: 0 }],
    cgroupsPath: '/x',
    resources: {
      devices: [{ allow: true, type: 'c', major: 1, minor: 3, access: 'rw' }],
      memory: { limit: 1000, swap: 2000, checkBeforeUpdate: true },
      cpu: { shares: 2, quota: 3, period: 4, cpus: '0' },
      pids: { limit: 5 },
      blockIO: { weight: 10, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1 }] },
      hugepageLimits: [{ pageSize: '2MB', limit: 0 }],
      network: { classID: 1, priorities: [{ name: 'eth0', priority: 1 }] },
      rdma: { mlx: { hcaHandles: 1 } },
      unified: { 'memory.high': '1' },
    },
    sysctl: { 'kernel.shmmax': '1' },
    seccomp: {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [
        {
          names: ['socket'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 1,
          args: [{ index: 0, value: 1, valueTwo: 2, op: 'SCMP_CMP_EQ' }],
        },
      ],
    },
    rootfsPropagation: 'slave',
    maskedPaths: ['/proc/kcore'],
    readonlyPaths: ['/proc/sys'],
    personality: { domain: 'LINUX' },
    memoryPolicy: { mode: 'MPOL_LOCAL' },
  },
});

test('C26 whatever stands at whatever place, the answer is a plan or a refusal', () => {
  const other = fc.oneof(
    fc.constantFrom<unknown>(null, '', [], {}, -1, 0, 1.5, 2 ** 32, 2 ** 53, 1e300, true, 'x\0y'),
    fc.constantFrom<unknown>('../..', '/..', '/'.repeat(5000), [[]], [null], { a: { b: [] } }),
    fc.jsonValue(),
    fc.string(),
  );
  let plans = 0;
  let refusals = 0;
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 190 }), other, (place, by) => {
      const { value } = replaceAt(FULL, place, by);
      try {
        const { plan } = compileLaunchPlan(parseRuntimeConfig(JSON.stringify(value)), OPTIONS);
        splitPlan(plan);
        plans++;
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error;
        refusals++;
      }
    }),
    { numRuns: 1500 },
  );
  assert.ok(plans > 100 && refusals > 100, `${plans} plans and ${refusals} refusals`);
});
