import assert from 'node:assert/strict';
import { test } from 'node:test';

import { controlFilesV1, deviceFilesV1 } from '../../../../src/runtime/cgroups/control-files-v1.js';
import { controlFilesV2 } from '../../../../src/runtime/cgroups/control-files-v2.js';
import { scopeProperties } from '../../../../src/runtime/cgroups/scope-properties.js';
import { assertFails } from '../../../support/assert-fails.js';
import { each } from '../../../support/each.js';
import { runtimeResources } from '../../../support/runtime-resources.js';

interface Row {
  readonly name: string;
  readonly resources: object;
  readonly v2: readonly string[] | 'unsupported';
  readonly v1: readonly string[] | 'unsupported';
}

const device = { major: 8, minor: 16 };

each<Row>(
  'resources as files:',
  [
    { name: 'nothing', resources: {}, v2: [], v1: [] },
    {
      name: 'memory and swap',
      resources: { memory: { limit: 1000, swap: 1500, reservation: 500 } },
      v2: ['memory.swap.max=500', 'memory.max=1000', 'memory.low=500'],
      v1: [
        'memory.limit_in_bytes=1000',
        'memory.memsw.limit_in_bytes=1500',
        'memory.soft_limit_in_bytes=500',
      ],
    },
    {
      name: 'no limit of memory and swap',
      resources: { memory: { limit: -1, swap: -1 } },
      v2: ['memory.swap.max=max', 'memory.max=max'],
      v1: ['memory.limit_in_bytes=-1', 'memory.memsw.limit_in_bytes=-1'],
    },
    {
      // The kernel memory limit is gone from Linux, and hierarchy is always on.
      name: 'what is only of version 1 or of no kernel any more',
      resources: {
        memory: {
          kernel: 1000,
          kernelTCP: 2000,
          swappiness: 60,
          disableOOMKiller: true,
          useHierarchy: true,
        },
      },
      v2: [],
      v1: ['memory.kmem.tcp.limit_in_bytes=2000', 'memory.swappiness=60', 'memory.oom_control=1'],
    },
    {
      name: 'processor time',
      resources: { cpu: { shares: 1024, quota: 20_000, period: 50_000, burst: 10_000 } },
      v2: ['cpu.weight=39', 'cpu.max=20000 50000', 'cpu.max.burst=10000'],
      v1: [
        'cpu.shares=1024',
        'cpu.cfs_period_us=50000',
        'cpu.cfs_quota_us=20000',
        'cpu.cfs_burst_us=10000',
      ],
    },
    {
      name: 'a period alone, and no quota',
      resources: { cpu: { quota: -1, period: 50_000 } },
      v2: ['cpu.max=max 50000'],
      v1: ['cpu.cfs_period_us=50000', 'cpu.cfs_quota_us=-1'],
    },
    {
      name: 'processors, nodes and idling',
      resources: { cpu: { cpus: '0-1', mems: '0', idle: 1, shares: 2 } },
      v2: ['cpu.idle=1', 'cpuset.cpus=0-1', 'cpuset.mems=0'],
      v1: ['cpu.shares=2', 'cpu.idle=1', 'cpuset.cpus=0-1', 'cpuset.mems=0'],
    },
    {
      name: 'realtime',
      resources: { cpu: { realtimeRuntime: 950_000, realtimePeriod: 1_000_000 } },
      v2: 'unsupported',
      v1: ['cpu.rt_period_us=1000000', 'cpu.rt_runtime_us=950000'],
    },
    {
      name: 'processes',
      resources: { pids: { limit: 20 } },
      v2: ['pids.max=20'],
      v1: ['pids.max=20'],
    },
    {
      name: 'no process beside those that are there',
      resources: { pids: { limit: 0 } },
      v2: ['pids.max=0'],
      v1: ['pids.max=0'],
    },
    {
      name: 'weights of block devices',
      resources: { blockIO: { weight: 500, weightDevice: [{ ...device, weight: 10 }] } },
      v2: [
        'io.bfq.weight=default 500|io.weight=default 4950',
        'io.bfq.weight=8:16 10|io.weight=8:16 1',
      ],
      v1: [
        'blkio.weight=500|blkio.bfq.weight=500',
        'blkio.weight_device=8:16 10|blkio.bfq.weight_device=8:16 10',
      ],
    },
    {
      name: 'leaf weights',
      resources: { blockIO: { leafWeight: 300, weightDevice: [{ ...device, leafWeight: 20 }] } },
      v2: 'unsupported',
      v1: [
        'blkio.leaf_weight=300|blkio.bfq.leaf_weight=300',
        'blkio.leaf_weight_device=8:16 20|blkio.bfq.leaf_weight_device=8:16 20',
      ],
    },
    {
      name: 'throttled devices',
      resources: {
        blockIO: {
          throttleReadBpsDevice: [{ ...device, rate: 600 }],
          throttleWriteBpsDevice: [{ ...device, rate: 0 }],
          throttleReadIOPSDevice: [{ ...device, rate: 7 }],
          throttleWriteIOPSDevice: [{ ...device, rate: 8 }],
        },
      },
      v2: [
        'io.max=8:16 rbps=600',
        'io.max=8:16 wbps=max',
        'io.max=8:16 riops=7',
        'io.max=8:16 wiops=8',
      ],
      v1: [
        'blkio.throttle.read_bps_device=8:16 600',
        'blkio.throttle.write_bps_device=8:16 0',
        'blkio.throttle.read_iops_device=8:16 7',
        'blkio.throttle.write_iops_device=8:16 8',
      ],
    },
    {
      name: 'huge pages',
      resources: { hugepageLimits: [{ pageSize: '2MB', limit: 4_194_304 }] },
      v2: ['hugetlb.2MB.rsvd.max=4194304|hugetlb.2MB.max=4194304'],
      v1: ['hugetlb.2MB.rsvd.limit_in_bytes=4194304|hugetlb.2MB.limit_in_bytes=4194304'],
    },
    {
      name: 'no limit of huge pages, as Go writes it',
      resources: { hugepageLimits: [{ pageSize: '1GB', limit: 2 ** 64 }] },
      v2: ['hugetlb.1GB.rsvd.max=max|hugetlb.1GB.max=max'],
      v1: ['hugetlb.1GB.rsvd.limit_in_bytes=-1|hugetlb.1GB.limit_in_bytes=-1'],
    },
    {
      name: 'rdma',
      resources: { rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10_000 } } },
      v2: ['rdma.max=mlx5_1 hca_handle=3 hca_object=10000'],
      v1: ['rdma.max=mlx5_1 hca_handle=3 hca_object=10000'],
    },
    {
      name: 'the network',
      resources: { network: { classID: 1_048_577, priorities: [{ name: 'eth0', priority: 5 }] } },
      v2: 'unsupported',
      v1: ['net_cls.classid=1048577', 'net_prio.ifpriomap=eth0 5'],
    },
    {
      name: 'files of version 2, a line at a time',
      resources: { unified: { 'memory.high': '100', 'io.max': '8:0 rbps=1\n8:16 rbps=2\n' } },
      v2: ['memory.high=100', 'io.max=8:0 rbps=1', 'io.max=8:16 rbps=2'],
      v1: 'unsupported',
    },
  ],
  async ({ resources, v1, v2 }) => {
    const parsed = runtimeResources(resources);
    for (const [give, wanted] of [
      [controlFilesV1, v1],
      [controlFilesV2, v2],
    ] as const) {
      if (wanted === 'unsupported') {
        await assertFails('RUNTIME_UNSUPPORTED', () => give(parsed));
        continue;
      }
      const found = give(parsed).map(({ file, value, otherwise }) =>
        otherwise === undefined
          ? `${file}=${value}`
          : `${file}=${value}|${otherwise.file}=${otherwise.value}`,
      );
      assert.deepEqual(found, wanted);
    }
  },
);

each<{ name: string; resources: object }>(
  'controlFilesV2() refuses',
  [
    { name: 'swap below the limit', resources: { memory: { limit: 1000, swap: 999 } } },
    { name: 'swap without a limit', resources: { memory: { swap: 999 } } },
    { name: 'a burst above the quota', resources: { cpu: { quota: 1000, burst: 1001 } } },
    { name: 'a device of rdma without limits', resources: { rdma: { mlx5_1: {} } } },
    { name: 'the shape of the cgroup', resources: { unified: { 'cgroup.subtree_control': '+a' } } },
    { name: 'a way out of the cgroup', resources: { unified: { 'memory.max/../../x': '1' } } },
    { name: 'a file without a controller', resources: { unified: { x: '1' } } },
  ],
  async ({ resources }) => {
    await assertFails('RUNTIME_CONFIG_INVALID', () => controlFilesV2(runtimeResources(resources)));
  },
);

test('C15 deviceFilesV1() denies everything before it allows something', () => {
  const { devices } = runtimeResources({
    devices: [
      { allow: true, type: 'c', major: 10, minor: 200, access: 'rw' },
      { allow: false },
      { allow: true, type: 'b', major: 8, access: 'r' },
    ],
  });
  assert.deepEqual(
    deviceFilesV1(devices).map(({ file, value }) => `${file}=${value}`),
    [
      'devices.deny=a *:* rwm',
      'devices.allow=c 10:200 rw',
      'devices.deny=a *:* rwm',
      'devices.allow=b 8:* r',
    ],
  );
});

test('scopeProperties() gives limits in the words of systemd', () => {
  const properties = scopeProperties(
    runtimeResources({
      memory: { limit: 1000, swap: 1500, reservation: -1 },
      cpu: { shares: 1024, quota: 25_001, period: 50_000, cpus: '0,3-9' },
      pids: { limit: 7 },
      blockIO: { weight: 500, throttleReadBpsDevice: [{ ...device, rate: 600 }] },
    }),
  );
  assert.deepEqual(properties, [
    ['MemoryMax', 't', 1000n],
    ['MemoryLow', 't', 0xffff_ffff_ffff_ffffn],
    ['MemorySwapMax', 't', 500n],
    ['CPUWeight', 't', 39n],
    // systemd takes hundredths of a second, and rounding down would be a stricter limit.
    ['CPUQuotaPerSecUSec', 't', 510_000n],
    ['CPUQuotaPeriodUSec', 't', 50_000n],
    ['AllowedCPUs', 'ay', Buffer.from([0b1111_1001, 0b11])],
    ['TasksMax', 't', 7n],
    ['IOWeight', 't', 4950n],
    ['IOReadBandwidthMax', 'a(st)', [['/dev/block/8:16', 600n]]],
  ]);
});
