import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ErrorCode } from '../../../src/errors/catalogue.js';
import { compileLaunchPlan } from '../../../src/runtime/compile-launch-plan.js';
import type { LaunchPlanOptions } from '../../../src/runtime/launch-plan.js';
import { INSTRUCTIONS, splitPlan } from '../../../src/runtime/plan-format.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { runtimeConfig, type ConfigChanges } from '../../support/runtime-config.js';

const OPTIONS: LaunchPlanOptions = { name: 'etcd', rootfs: '/var/lib/berth/etcd/rootfs' };

function directives(changes: ConfigChanges, options: Partial<LaunchPlanOptions> = {}): string[] {
  return compileLaunchPlan(runtimeConfig(changes), { ...OPTIONS, ...options }).directives.map(
    ([section, key, value]) => `${section} ${key}=${value}`,
  );
}

const resources = (value: object): ConfigChanges => ({
  linux: { resources: value, namespaces: [{ type: 'mount' }] },
});

each<{ name: string; changes: ConfigChanges; options?: Partial<LaunchPlanOptions>; has: string[] }>(
  'compileLaunchPlan() gives settings for the unit',
  [
    {
      name: 'what has to be there before the start',
      changes: { mounts: [{ destination: '/data', source: '/srv/my data', options: ['rbind'] }] },
      options: { launcher: '/usr/libexec/berth/launch' },
      has: [
        'Unit RequiresMountsFor=/var/lib/berth/etcd',
        'Unit RequiresMountsFor=/usr/libexec/berth/launch',
        'Unit RequiresMountsFor="/srv/my data"',
        'Unit After=systemd-tmpfiles-setup.service',
        'Service KillMode=mixed',
      ],
    },
    {
      name: 'memory, with swap as what is above it',
      changes: resources({ memory: { limit: 1000, swap: 1500, reservation: 500 } }),
      has: ['Service MemoryMax=1000', 'Service MemorySwapMax=500', 'Service MemoryLow=500'],
    },
    {
      name: 'unlimited memory',
      changes: resources({ memory: { limit: -1, swap: -1 } }),
      has: ['Service MemoryMax=infinity', 'Service MemorySwapMax=infinity'],
    },
    {
      name: 'processors',
      changes: resources({ cpu: { shares: 1024, quota: 150000, period: 50000, cpus: '0-1' } }),
      has: [
        'Service CPUWeight=39',
        'Service CPUQuota=300%',
        'Service CPUQuotaPeriodSec=50000us',
        'Service AllowedCPUs=0-1',
      ],
    },
    {
      name: 'tasks, with the parent that stays',
      changes: {
        linux: {
          resources: { pids: { limit: 10 } },
          namespaces: [{ type: 'pid' }, { type: 'mount' }],
        },
      },
      has: ['Service TasksMax=11'],
    },
    {
      name: 'block devices',
      changes: resources({
        blockIO: { weight: 500, throttleReadBpsDevice: [{ major: 8, minor: 16, rate: 1048576 }] },
      }),
      has: ['Service IOWeight=4950', 'Service IOReadBandwidthMax=/dev/block/8:16 1048576'],
    },
    {
      name: 'files of cgroup v2',
      changes: resources({
        unified: { 'memory.high': '1024', 'cpu.max': '20000 100000', 'pids.max': 'max' },
      }),
      has: ['Service MemoryHigh=1024', 'Service CPUQuota=20%', 'Service TasksMax=infinity'],
    },
    {
      name: 'devices that are listed',
      changes: resources({
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
          { allow: true, type: 'b', major: 8, access: 'r' },
        ],
      }),
      has: [
        'Service DevicePolicy=strict',
        'Service DeviceAllow=/dev/char/1:3 rwm',
        'Service DeviceAllow=/dev/char/10:229 rw',
        'Service DeviceAllow=block-8 r',
      ],
    },
    {
      name: 'C15 no rules at all: the default devices and no others',
      changes: {},
      has: ['Service DevicePolicy=strict', 'Service DeviceAllow=char-136 rwm'],
    },
    {
      name: 'a cgroup namespace is delegated',
      changes: { linux: { namespaces: [{ type: 'mount' }, { type: 'cgroup' }] } },
      options: { systemdVersion: 257 },
      has: ['Service Delegate=yes', 'Service DelegateSubgroup=payload'],
    },
    {
      name: 'notifications come from the parent alone',
      changes: {},
      options: { notify: true },
      has: ['Service NotifyAccess=main'],
    },
    {
      name: 'the stop signal',
      changes: {},
      options: { stopSignal: 'SIGRTMIN+3' },
      has: ['Service KillSignal=RTMIN+3'],
    },
    {
      name: 'scheduler and I/O priority',
      changes: {
        process: {
          scheduler: { policy: 'SCHED_RR', priority: 5 },
          ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 3 },
        },
      },
      has: [
        'Service CPUSchedulingPolicy=rr',
        'Service CPUSchedulingPriority=5',
        'Service IOSchedulingClass=best-effort',
        'Service IOSchedulingPriority=3',
      ],
    },
  ],
  ({ changes, options, has }) => {
    const got = directives(changes, options);
    for (const line of has) assert.ok(got.includes(line), `${line} is not in\n${got.join('\n')}`);
  },
);

each<{ name: string; changes: ConfigChanges; absent: RegExp }>(
  'compileLaunchPlan() gives no setting',
  [
    {
      name: 'of devices where all are allowed',
      changes: resources({ devices: [{ allow: true, access: 'rwm' }] }),
      absent: /^Service Device/,
    },
    {
      name: 'of resources that are 0, which Go writes for absent ones',
      changes: resources({
        memory: { limit: 0, swap: 0 },
        cpu: { shares: 0, quota: 0 },
        pids: { limit: 0 },
      }),
      absent: /^Service (Memory|CPU|Tasks)/,
    },
    {
      name: 'of delegation without a cgroup namespace',
      changes: {},
      absent: /^Service Delegate/,
    },
    {
      name: 'of notifications for a unit that does not wait for them',
      changes: {},
      absent: /NotifyAccess/,
    },
  ],
  ({ changes, absent }) => {
    assert.deepEqual(
      directives(changes).filter((line) => absent.test(line)),
      [],
    );
  },
);

each<{
  name: string;
  changes: ConfigChanges;
  options?: Partial<LaunchPlanOptions>;
  code: ErrorCode;
  says: RegExp;
}>(
  'compileLaunchPlan() refuses',
  [
    {
      name: 'a writable checkout',
      changes: { root: { path: 'rootfs', readonly: false } },
      code: 'RUNTIME_UNSUPPORTED',
      says: /images share/,
    },
    {
      name: 'P26 another root',
      changes: { root: { path: '../../', readonly: true } },
      code: 'RUNTIME_CONFIG_INVALID',
      says: /root\.path/,
    },
    {
      name: 'P24 hooks',
      changes: { hooks: { prestart: [{ path: '/bin/x' }] } },
      code: 'RUNTIME_UNSUPPORTED',
      says: /prestart/,
    },
    {
      name: 'no mount namespace',
      changes: { linux: { namespaces: [{ type: 'pid' }] } },
      code: 'RUNTIME_UNSUPPORTED',
      says: /mount namespace/,
    },
    {
      name: 'a namespace twice',
      changes: { linux: { namespaces: [{ type: 'mount' }, { type: 'mount' }] } },
      code: 'RUNTIME_CONFIG_INVALID',
      says: /twice/,
    },
    {
      name: 'P28 a sysctl of the host',
      changes: {
        linux: { namespaces: [{ type: 'mount' }], sysctl: { 'kernel.core_pattern': '|/x' } },
      },
      code: 'RUNTIME_CONFIG_INVALID',
      says: /core_pattern/,
    },
    {
      name: 'a limit that no setting keeps',
      changes: resources({ hugepageLimits: [{ pageSize: '2MB', limit: 1 }] }),
      code: 'RUNTIME_UNSUPPORTED',
      says: /hugepageLimits/,
    },
    {
      name: 'C15 all devices but some',
      changes: resources({
        devices: [
          { allow: true, access: 'rwm' },
          { allow: false, type: 'b', major: 8, minor: 0, access: 'rwm' },
        ],
      }),
      code: 'RUNTIME_UNSUPPORTED',
      says: /list what is allowed/,
    },
    {
      name: 'a mount over the root',
      changes: { mounts: [{ destination: '/', type: 'tmpfs' }] },
      code: 'RUNTIME_CONFIG_INVALID',
      says: /over the root/,
    },
    {
      name: 'M32 a destination with ..',
      changes: { mounts: [{ destination: '/a/../../etc', type: 'tmpfs' }] },
      code: 'RUNTIME_CONFIG_INVALID',
      says: /'\.\.'/,
    },
    {
      name: 'C26 more mounts than there are descriptors',
      changes: {
        mounts: Array.from({ length: 600 }, (_, i) => ({ destination: `/m${i}`, type: 'tmpfs' })),
      },
      code: 'RUNTIME_CONFIG_INVALID',
      says: /512/,
    },
    {
      name: 'M33 arguments larger than Linux takes',
      changes: { process: { args: ['/bin/x', 'y'.repeat(200_000)] } },
      code: 'LIMIT_EXCEEDED',
      says: /131071/,
    },
    {
      name: 'the instance name where it has no place',
      changes: { linux: { namespaces: [{ type: 'mount' }], maskedPaths: ['/x/@I@'] } },
      options: { instanceMarker: '@I@' },
      code: 'RUNTIME_CONFIG_INVALID',
      says: /instance/,
    },
    {
      name: 'a user namespace without a map',
      changes: { linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }, { type: 'user' }] } },
      code: 'RUNTIME_CONFIG_INVALID',
      says: /uidMappings/,
    },
  ],
  async ({ changes, options, code, says }) => {
    const error = await assertFails(code, () =>
      compileLaunchPlan(runtimeConfig(changes), { ...OPTIONS, ...options }),
    );
    assert.match(error.message, says);
  },
);

test('compileLaunchPlan() takes the slots of an instance to the unit as %i', () => {
  const config = runtimeConfig({
    process: { args: ['/bin/x', '@I@'] },
    mounts: [{ destination: '/d', source: '/srv/100%/@I@', options: ['bind'] }],
  });
  const compiled = compileLaunchPlan(config, { ...OPTIONS, instanceMarker: '@I@' });
  assert.ok(
    compiled.directives.some(
      ([, key, value]) => key === 'RequiresMountsFor' && value === '/srv/100%%/%i',
    ),
  );
  assert.ok(compiled.plan.includes(Buffer.from('/srv/100%/\xff\0', 'latin1')));
});

test('compileLaunchPlan() names the places that must be in the root, and not those made at launch', () => {
  const config = runtimeConfig({
    process: { cwd: '/srv' },
    mounts: [
      { destination: '/run', type: 'tmpfs' },
      { destination: '/run/x', source: '/srv/x', options: ['bind'] },
      { destination: '/etc/etcd/', source: 'conf', type: 'bind' },
    ],
  });
  assert.deepEqual(compileLaunchPlan(config, OPTIONS).mountPoints, [
    { path: '/proc', kind: 'directory' },
    { path: '/dev', kind: 'directory' },
    { path: '/sys', kind: 'directory' },
    { path: '/run', kind: 'directory' },
    { path: '/etc/etcd', kind: 'like-source', source: '/var/lib/berth/etcd/conf' },
    { path: '/srv', kind: 'directory' },
  ]);
});

test('compileLaunchPlan() says once what it ignores', () => {
  const bind = (n: number): object => ({
    destination: `/b${n}`,
    source: `/srv/${n}`,
    options: ['rbind', 'mode=755'],
  });
  const compiled = compileLaunchPlan(runtimeConfig({ mounts: [bind(1), bind(2)] }), OPTIONS);
  assert.deepEqual(compiled.warnings, [
    "option 'mode=755' of 2 bind mounts means nothing there, ignoring",
  ]);
});

test('compileLaunchPlan() gives a service no terminal for process.terminal, and says so', () => {
  const config = runtimeConfig({ process: { terminal: true } });
  assert.deepEqual(compileLaunchPlan(config, OPTIONS).warnings, [
    'process.terminal means nothing to a service, ignoring',
  ]);
  assert.deepEqual(compileLaunchPlan(config, { ...OPTIONS, standalone: true }).warnings, []);
});

test('compileLaunchPlan() has mounts labelled, in a service where there is SELinux', () => {
  const mountLabel = 'system_u:object_r:container_file_t:s0';
  const mounts = ['tmpfs', 'proc'].map((type) => ({ destination: `/${type}`, type, source: type }));
  const linux = { namespaces: [{ type: 'mount' }], mountLabel };
  const config = runtimeConfig({ mounts, linux });
  const labelsOf = (options: Partial<LaunchPlanOptions>): readonly string[] =>
    splitPlan(compileLaunchPlan(config, { ...OPTIONS, ...options }).plan).flatMap(({ op, body }) =>
      body.includes(mountLabel) ? [op === INSTRUCTIONS.LABEL.op ? 'LABEL' : String(op)] : [],
    );
  assert.deepEqual([...new Set(labelsOf({}))], ['LABEL']);
  assert.deepEqual([...new Set(labelsOf({ standalone: true }))], [String(INSTRUCTIONS.OPTION.op)]);
  // File systems of the kernel have labels by rules of its own.
  const withoutProc = runtimeConfig({ mounts: mounts.slice(0, 1), linux });
  const plan = compileLaunchPlan(withoutProc, OPTIONS).plan.toString('latin1');
  assert.equal(plan.split(mountLabel).length - 1, labelsOf({}).length);
  assert.deepEqual(compileLaunchPlan(config, OPTIONS).warnings, []);
});

test('compileLaunchPlan() makes the same plan every time', () => {
  const plan = (): Buffer => compileLaunchPlan(runtimeConfig(), OPTIONS).plan;
  assert.deepEqual(plan(), plan());
});
