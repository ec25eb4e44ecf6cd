import { quote } from '../../base/escape-text.js';
import { OperationalError } from '../../errors/operational-error.js';
import type {
  BlockDeviceValue,
  BlockThrottle,
  DeviceRule,
  RuntimeResources,
} from '../../oci/runtime-config.js';
import type { ControlFile } from './control-file.js';

/**
 * Gives resources (all but devices) as files of cgroup version 1. What is not said gives no file. Limits of kernel
 * memory are not set: the kernel gave them up (5.16 refuses them), and the specification advises against them.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID; RUNTIME_UNSUPPORTED for `unified`, which is version 2's
 */
export function controlFilesV1(resources: RuntimeResources): readonly ControlFile[] {
  const [unified] = Object.keys(resources.unified);
  if (unified !== undefined) {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      `linux.resources.unified: ${quote(unified)} is of cgroup version 2, and this host has version 1`,
    );
  }
  return [
    ...memoryFiles(resources.memory),
    ...cpuFiles(resources.cpu),
    ...files('pids', [['pids.max', noLimitAs('max', resources.pidsLimit), 'pids.limit']]),
    ...blockFiles(resources.blockIO),
    ...resources.hugepageLimits.map(({ pageSize, limit }): ControlFile => {
      const value = limit === Infinity ? '-1' : String(limit);
      return {
        controller: 'hugetlb',
        file: `hugetlb.${pageSize}.rsvd.limit_in_bytes`,
        value,
        member: 'hugepageLimits',
        otherwise: { file: `hugetlb.${pageSize}.limit_in_bytes`, value },
      };
    }),
    ...files('net_cls', [['net_cls.classid', text(resources.network.classID), 'network.classID']]),
    ...resources.network.priorities.flatMap(({ name, priority }) =>
      files('net_prio', [['net_prio.ifpriomap', `${name} ${priority}`, 'network.priorities']]),
    ),
    ...resources.rdma.flatMap(({ device, hcaHandles, hcaObjects }) =>
      files('rdma', [
        [
          'rdma.max',
          [
            device,
            ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
            ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
          ].join(' '),
          `rdma.${device}`,
        ],
      ]),
    ),
  ];
}

/**
 * Gives device rules as lines for `devices.deny` and `devices.allow`, in order; what was allowed before is taken away
 * first, so that a list of rules is never a list of exceptions (GHSA-g54h-m393-cpwq).
 */
export function deviceFilesV1(rules: readonly DeviceRule[]): readonly ControlFile[] {
  const number = (value: number | undefined): string => (value === undefined ? '*' : `${value}`);
  const line = (rule: DeviceRule): string =>
    rule.type === 'a'
      ? 'a *:* rwm'
      : `${rule.type} ${number(rule.major)}:${number(rule.minor)} ${rule.access}`;
  const file = (allow: boolean, value: string): ControlFile => ({
    controller: 'devices',
    file: allow ? 'devices.allow' : 'devices.deny',
    value,
    member: 'devices',
  });
  return [file(false, 'a *:* rwm'), ...rules.map((rule) => file(rule.allow, line(rule)))];
}

type Row = readonly [file: string, value: string | undefined, member: string];

function files(controller: string, rows: readonly Row[]): readonly ControlFile[] {
  return rows.flatMap(([file, value, member]) =>
    value === undefined ? [] : [{ controller, file, value, member }],
  );
}

function memoryFiles(memory: RuntimeResources['memory']): readonly ControlFile[] {
  const { limit, swap, reservation } = memory;
  if (swap !== undefined && swap > 0 && limit !== undefined && limit > swap) {
    throw new OperationalError(
      'RUNTIME_CONFIG_INVALID',
      'linux.resources: memory.swap is memory and swap together, and needs a limit not above it',
    );
  }
  return files('memory', [
    ['memory.limit_in_bytes', limit === 0 ? undefined : text(limit), 'memory.limit'],
    ['memory.memsw.limit_in_bytes', swap === 0 ? undefined : text(swap), 'memory.swap'],
    [
      'memory.soft_limit_in_bytes',
      reservation === 0 ? undefined : text(reservation),
      'memory.reservation',
    ],
    [
      'memory.kmem.tcp.limit_in_bytes',
      (memory.kernelTCP ?? 0) === 0 ? undefined : text(memory.kernelTCP),
      'memory.kernelTCP',
    ],
    ['memory.swappiness', text(memory.swappiness), 'memory.swappiness'],
    ['memory.oom_control', memory.disableOOMKiller ? '1' : undefined, 'memory.disableOOMKiller'],
  ]);
}

function cpuFiles(cpu: RuntimeResources['cpu']): readonly ControlFile[] {
  const unlessZero = (value: number | undefined): string | undefined =>
    value === 0 ? undefined : text(value);
  return [
    ...files('cpu', [
      ['cpu.shares', unlessZero(cpu.shares), 'cpu.shares'],
      ['cpu.cfs_period_us', unlessZero(cpu.period), 'cpu.period'],
      ['cpu.cfs_quota_us', unlessZero(cpu.quota), 'cpu.quota'],
      ['cpu.cfs_burst_us', text(cpu.burst), 'cpu.burst'],
      ['cpu.rt_period_us', unlessZero(cpu.realtimePeriod), 'cpu.realtimePeriod'],
      ['cpu.rt_runtime_us', unlessZero(cpu.realtimeRuntime), 'cpu.realtimeRuntime'],
      ['cpu.idle', text(cpu.idle), 'cpu.idle'],
    ]),
    ...files('cpuset', [
      ['cpuset.cpus', cpu.cpus, 'cpu.cpus'],
      ['cpuset.mems', cpu.mems, 'cpu.mems'],
    ]),
  ];
}

const THROTTLES: Readonly<Record<BlockThrottle, string>> = {
  throttleReadBpsDevice: 'blkio.throttle.read_bps_device',
  throttleWriteBpsDevice: 'blkio.throttle.write_bps_device',
  throttleReadIOPSDevice: 'blkio.throttle.read_iops_device',
  throttleWriteIOPSDevice: 'blkio.throttle.write_iops_device',
};

function blockFiles(blockIO: RuntimeResources['blockIO']): readonly ControlFile[] {
  const weight = (file: string, value: string, member: string): ControlFile => ({
    controller: 'blkio',
    file: `blkio.${file}`,
    value,
    member,
    // Since CFQ went (5.0) only BFQ has weights.
    otherwise: { file: `blkio.bfq.${file}`, value },
  });
  const onDevice = ({ major, minor, value }: BlockDeviceValue): string =>
    `${major}:${minor} ${value}`;
  const plain = (value: number | undefined, file: string): readonly ControlFile[] =>
    value === undefined || value === 0 ? [] : [weight(file, String(value), `blockIO.${file}`)];
  return [
    ...plain(blockIO.weight, 'weight'),
    ...plain(blockIO.leafWeight, 'leaf_weight'),
    ...blockIO.weightDevice.map((entry) =>
      weight('weight_device', onDevice(entry), 'blockIO.weightDevice'),
    ),
    ...blockIO.leafWeightDevice.map((entry) =>
      weight('leaf_weight_device', onDevice(entry), 'blockIO.weightDevice'),
    ),
    ...Object.entries(THROTTLES).flatMap(([name, file]) =>
      blockIO.throttle[name as BlockThrottle].flatMap((entry) =>
        files('blkio', [[file, onDevice(entry), `blockIO.${name}`]]),
      ),
    ),
  ];
}

function text(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

function noLimitAs(word: string, value: number | undefined): string | undefined {
  return value !== undefined && value < 0 ? word : text(value);
}
