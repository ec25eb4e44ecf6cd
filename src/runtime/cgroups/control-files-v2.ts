import { quote } from '../../base/escape-text.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { BlockThrottle, RuntimeResources } from '../../oci/runtime-config.js';
import type { ControlFile } from './control-file.js';
import { blockWeight, weightOfShares } from './weights.js';

/**
 * Gives resources (all but devices) as files of cgroup version 2. What is not said gives no file, so that an update
 * changes only what it names.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID; RUNTIME_UNSUPPORTED for what only version 1 has
 */
export function controlFilesV2(resources: RuntimeResources): readonly ControlFile[] {
  refuseVersion1(resources);
  return [
    ...memoryFiles(resources.memory),
    ...cpuFiles(resources.cpu),
    ...files('pids', [['pids.max', limitText(resources.pidsLimit), 'pids.limit']]),
    ...ioFiles(resources.blockIO),
    ...resources.hugepageLimits.map((entry): ControlFile => {
      const value = limitText(entry.limit) ?? 'max';
      // Reservations are what fails in time: a fault without one is a SIGBUS (config-linux.md, "Huge page limits").
      return {
        controller: 'hugetlb',
        file: `hugetlb.${entry.pageSize}.rsvd.max`,
        value,
        member: 'hugepageLimits',
        otherwise: { file: `hugetlb.${entry.pageSize}.max`, value },
      };
    }),
    ...resources.rdma.map((entry): ControlFile => ({
      controller: 'rdma',
      file: 'rdma.max',
      value: rdmaValue(entry),
      member: `rdma.${entry.device}`,
    })),
    ...Object.entries(resources.unified).flatMap(([file, value]) => unifiedFiles(file, value)),
  ];
}

type Row = readonly [file: string, value: string | undefined, member: string];

function files(controller: string, rows: readonly Row[]): readonly ControlFile[] {
  return rows.flatMap(([file, value, member]) =>
    value === undefined ? [] : [{ controller, file, value, member }],
  );
}

function memoryFiles(memory: RuntimeResources['memory']): readonly ControlFile[] {
  const { limit, reservation } = memory;
  return files('memory', [
    // Swap first where it grows: the limit on both together is never below that on memory.
    ['memory.swap.max', swapLimit(memory), 'memory.swap'],
    ['memory.max', limit === 0 ? undefined : limitText(limit), 'memory.limit'],
    ['memory.low', reservation === 0 ? undefined : limitText(reservation), 'memory.reservation'],
  ]);
}

/** `swap` is memory and swap together; version 2 limits swap alone. */
function swapLimit({ limit, swap }: RuntimeResources['memory']): string | undefined {
  if (swap === undefined || swap === 0) return undefined;
  if (swap < 0) return 'max';
  if (limit === undefined || limit <= 0 || swap < limit) {
    invalid('memory.swap is memory and swap together, and needs a limit not above it');
  }
  return String(swap - limit);
}

function cpuFiles(cpu: RuntimeResources['cpu']): readonly ControlFile[] {
  const { shares, quota, period, burst, idle } = cpu;
  if (burst !== undefined && quota !== undefined && quota > 0 && burst > quota) {
    invalid('cpu.burst is larger than cpu.quota');
  }
  return [
    ...files('cpu', [
      ['cpu.idle', idle === undefined ? undefined : String(idle), 'cpu.idle'],
      // A weight cannot be set on what is idle.
      [
        'cpu.weight',
        shares === undefined || shares === 0 || idle === 1 ? undefined : weightOfShares(shares),
        'cpu.shares',
      ],
      ['cpu.max', cpuMax(quota, period), 'cpu.quota'],
      ['cpu.max.burst', burst === undefined ? undefined : String(burst), 'cpu.burst'],
    ]),
    ...files('cpuset', [
      ['cpuset.cpus', cpu.cpus, 'cpu.cpus'],
      ['cpuset.mems', cpu.mems, 'cpu.mems'],
    ]),
  ];
}

const DEFAULT_PERIOD_US = 100_000;

function cpuMax(quota: number | undefined, period: number | undefined): string | undefined {
  const hasQuota = quota !== undefined && quota !== 0;
  const hasPeriod = period !== undefined && period !== 0;
  if (!hasQuota && !hasPeriod) return undefined;
  const amount = hasQuota && quota > 0 ? String(quota) : 'max';
  return `${amount} ${hasPeriod ? period : DEFAULT_PERIOD_US}`;
}

const THROTTLES: Readonly<Record<BlockThrottle, string>> = {
  throttleReadBpsDevice: 'rbps',
  throttleWriteBpsDevice: 'wbps',
  throttleReadIOPSDevice: 'riops',
  throttleWriteIOPSDevice: 'wiops',
};

function ioFiles(blockIO: RuntimeResources['blockIO']): readonly ControlFile[] {
  const weights = [
    ...(blockIO.weight === undefined || blockIO.weight === 0
      ? []
      : [{ on: 'default', weight: blockIO.weight }]),
    ...blockIO.weightDevice.map(({ major, minor, value }) => ({
      on: `${major}:${minor}`,
      weight: value,
    })),
  ];
  return [
    // BFQ has the numbers of version 1, 1 to 1000; the cost model's go to 10000.
    ...weights.map(({ on, weight }): ControlFile => ({
      controller: 'io',
      file: 'io.bfq.weight',
      value: `${on} ${weight}`,
      member: 'blockIO.weight',
      otherwise: { file: 'io.weight', value: `${on} ${blockWeight(weight)}` },
    })),
    ...Object.entries(THROTTLES).flatMap(([name, key]) =>
      blockIO.throttle[name as BlockThrottle].map(({ major, minor, value }): ControlFile => ({
        controller: 'io',
        file: 'io.max',
        value: `${major}:${minor} ${key}=${value === 0 ? 'max' : value}`,
        member: `blockIO.${name}`,
      })),
    ),
  ];
}

function rdmaValue(entry: RuntimeResources['rdma'][number]): string {
  const { device, hcaHandles, hcaObjects } = entry;
  if (hcaHandles === undefined && hcaObjects === undefined) {
    invalid(`rdma.${device} has neither hcaHandles nor hcaObjects`);
  }
  return [
    device,
    ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
    ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
  ].join(' ');
}

function unifiedFiles(file: string, value: string): readonly ControlFile[] {
  // Files of a cgroup itself are its shape, not its limits: the runtime's own.
  if (!/^[a-z]+(\.[A-Za-z0-9_]+)+$/.test(file) || file.startsWith('cgroup.')) {
    invalid(`unified: ${quote(file)} is not a file with a limit`);
  }
  const controller = file.slice(0, file.indexOf('.'));
  // The kernel takes one line at a time of files that have one for each device.
  return value
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({ controller, file, value: line, member: `unified.${file}` }));
}

function refuseVersion1(resources: RuntimeResources): void {
  const { cpu, network, blockIO } = resources;
  const asked: readonly (readonly [string, boolean])[] = [
    ['cpu.realtimeRuntime', (cpu.realtimeRuntime ?? 0) !== 0],
    ['cpu.realtimePeriod', (cpu.realtimePeriod ?? 0) !== 0],
    ['network', (network.classID ?? 0) !== 0 || network.priorities.length > 0],
    ['blockIO.leafWeight', (blockIO.leafWeight ?? 0) !== 0 || blockIO.leafWeightDevice.length > 0],
  ];
  const names = asked.flatMap(([name, present]) => (present ? [name] : []));
  if (names.length === 0) return;
  throw new OperationalError(
    'RUNTIME_UNSUPPORTED',
    `linux.resources: ${names.join(', ')}: there is no such limit in cgroup version 2`,
  );
}

/** -1 is "no limit"; 0 is one (config-linux.md, "PIDs"). */
function limitText(value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  return value < 0 || value === Infinity ? 'max' : String(value);
}

function invalid(problem: string): never {
  throw new OperationalError('RUNTIME_CONFIG_INVALID', `linux.resources: ${problem}`);
}
