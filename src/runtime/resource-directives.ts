import { quote } from '../base/escape-text.js';
import { lookUp } from '../base/look-up.js';
import { OperationalError } from '../errors/operational-error.js';
import type { BlockDeviceValue, BlockThrottle, RuntimeResources } from '../oci/runtime-config.js';
import type { UnitDirective } from './launch-plan.js';

const THROTTLE_KEYS: Readonly<Record<BlockThrottle, string>> = {
  throttleReadBpsDevice: 'IOReadBandwidthMax',
  throttleWriteBpsDevice: 'IOWriteBandwidthMax',
  throttleReadIOPSDevice: 'IOReadIOPSMax',
  throttleWriteIOPSDevice: 'IOWriteIOPSMax',
};

/**
 * Gives the resources of a config.json (all but devices) as settings of the unit, which is the container's cgroup.
 * `companions` are the processes of berth beside the program: they count as tasks too.
 *
 * @throws {@link OperationalError} RUNTIME_UNSUPPORTED for a limit that systemd has no setting for: one that would not
 * hold must not look as if it did
 */
export function compileResources(
  resources: RuntimeResources,
  context: { readonly companions: number; warn(warning: string): void },
): readonly UnitDirective[] {
  refuseUnsupported(resources);
  warnOfObsolete(resources, context);
  const rows: (readonly [string, string | undefined])[] = [
    ...memoryRows(resources.memory),
    ...cpuRows(resources.cpu),
    ['TasksMax', tasks(resources.pidsLimit, context.companions)],
    ...ioRows(resources.blockIO),
    ...unifiedRows(resources.unified, context.companions),
  ];
  return rows.flatMap(([key, value]): UnitDirective[] =>
    value === undefined ? [] : [['Service', key, value]],
  );
}

/** Settings by the controller of control groups that keeps them. */
const CONTROLLERS: readonly (readonly [pattern: RegExp, controller: string])[] = [
  [/^Memory/, 'memory'],
  [/^CPU(Weight|Quota)/, 'cpu'],
  [/^Allowed(CPUs|MemoryNodes)$/, 'cpuset'],
  [/^IO(Weight|Device|Read|Write)/, 'io'],
  [/^TasksMax$/, 'pids'],
];

/** Says which limits will not hold: a user's service manager has the controllers that root has given to it. */
export function warnOfControllers(
  directives: readonly UnitDirective[],
  { controllers }: { readonly controllers?: readonly string[] },
  warn: (warning: string) => void,
): void {
  if (controllers === undefined) return;
  for (const [, key] of directives) {
    const controller = CONTROLLERS.find(([pattern]) => pattern.test(key))?.[1];
    if (controller === undefined || controllers.includes(controller)) continue;
    warn(
      `${key}= has no effect: this user's service manager is not given the controller '${controller}' (Delegate= of user@.service)`,
    );
  }
}

type Row = readonly [string, string | undefined];

function memoryRows(memory: RuntimeResources['memory']): readonly Row[] {
  const { limit, reservation, swap } = memory;
  if (swap !== undefined && swap > 0 && (limit === undefined || limit < 0 || swap < limit)) {
    throw new OperationalError(
      'RUNTIME_CONFIG_INVALID',
      'linux.resources.memory: swap is memory and swap together, and needs a limit not above it',
    );
  }
  const swapOnly = swap === undefined || swap <= 0 ? swap : swap - (limit ?? 0);
  return [
    ['MemoryMax', amount(limit === 0 ? undefined : limit)],
    ['MemoryLow', amount(reservation === 0 ? undefined : reservation)],
    ['MemorySwapMax', swap === 0 ? undefined : amount(swapOnly)],
  ];
}

function cpuRows(cpu: RuntimeResources['cpu']): readonly Row[] {
  const { shares, quota, period, idle } = cpu;
  const weight = shares === undefined || shares === 0 ? undefined : weightOfShares(shares);
  return [
    ['CPUWeight', idle === 1 ? 'idle' : weight],
    ...quotaRows(quota, period),
    ['AllowedCPUs', cpu.cpus],
    ['AllowedMemoryNodes', cpu.mems],
  ];
}

const DEFAULT_PERIOD_US = 100_000;

function quotaRows(quota: number | undefined, period: number | undefined): readonly Row[] {
  if (quota === undefined || quota <= 0) return [];
  const periodUs = period === undefined || period === 0 ? DEFAULT_PERIOD_US : period;
  // systemd takes hundredths of a percent.
  const percent = Math.max(0.01, Math.round((quota / periodUs) * 10_000) / 100);
  return [
    ['CPUQuota', `${percent}%`],
    ['CPUQuotaPeriodSec', periodUs === DEFAULT_PERIOD_US ? undefined : `${periodUs}us`],
  ];
}

/** Shares (2 to 262144, 1024 usual) to weight (1 to 10000), by the linear rule of the other runtimes. */
function weightOfShares(shares: number): string {
  const bounded = Math.min(Math.max(shares, 2), 262_144);
  return String(Math.floor(1 + ((bounded - 2) * 9999) / 262_142));
}

function ioRows(blockIO: RuntimeResources['blockIO']): readonly Row[] {
  const weight = (value: number): string =>
    String(Math.floor(1 + ((Math.max(value, 10) - 10) * 9999) / 990));
  const onDevice = (entry: BlockDeviceValue): string => `/dev/block/${entry.major}:${entry.minor}`;
  return [
    [
      'IOWeight',
      blockIO.weight === undefined || blockIO.weight === 0 ? undefined : weight(blockIO.weight),
    ],
    ...blockIO.weightDevice.map((entry): Row => [
      'IODeviceWeight',
      `${onDevice(entry)} ${weight(entry.value)}`,
    ]),
    ...Object.entries(THROTTLE_KEYS).flatMap(([name, key]) =>
      blockIO.throttle[name as BlockThrottle].map((entry): Row => [
        key,
        `${onDevice(entry)} ${entry.value === 0 ? 'infinity' : entry.value}`,
      ]),
    ),
  ];
}

/** Files of cgroup v2 that systemd has a setting for. */
const UNIFIED_KEYS: Readonly<Record<string, string>> = {
  'memory.max': 'MemoryMax',
  'memory.high': 'MemoryHigh',
  'memory.low': 'MemoryLow',
  'memory.min': 'MemoryMin',
  'memory.swap.max': 'MemorySwapMax',
  'memory.zswap.max': 'MemoryZSwapMax',
  'cpu.weight': 'CPUWeight',
  'cpuset.cpus': 'AllowedCPUs',
  'cpuset.mems': 'AllowedMemoryNodes',
  'pids.max': 'TasksMax',
};

function unifiedRows(
  unified: Readonly<Record<string, string>>,
  companions: number,
): readonly Row[] {
  return Object.entries(unified).flatMap(([file, value]): readonly Row[] => {
    const text = value.trim();
    if (file === 'cpu.max') {
      const match = /^(max|\d+)(?: (\d+))?$/.exec(text);
      if (match === null) refuseUnified(file, value);
      const [, quota = '', period] = match;
      return quota === 'max'
        ? []
        : quotaRows(Number(quota), period === undefined ? undefined : Number(period));
    }
    const io = file === 'io.weight' ? /^(?:default )?(\d+)$/.exec(text)?.[1] : undefined;
    if (io !== undefined) return [['IOWeight', io]];
    const key = lookUp(UNIFIED_KEYS, file);
    const pattern = file.startsWith('cpuset.')
      ? /^[\d,-]+$/
      : file.startsWith('cpu.')
        ? /^\d+$/
        : /^(max|\d+)$/;
    if (key === undefined || !pattern.test(text)) refuseUnified(file, value);
    if (text === 'max') return [[key, 'infinity']];
    return [[key, file === 'pids.max' ? tasks(Number(text), companions) : text]];
  });
}

function refuseUnified(file: string, value: string): never {
  throw new OperationalError(
    'RUNTIME_UNSUPPORTED',
    `linux.resources.unified: there is no setting of a unit for ${quote(file)} = ${quote(value)}`,
  );
}

function refuseUnsupported(resources: RuntimeResources): void {
  const { cpu } = resources;
  const asked: readonly (readonly [string, boolean])[] = [
    ['cpu.burst', (cpu.burst ?? 0) !== 0],
    ['cpu.realtimeRuntime', (cpu.realtimeRuntime ?? 0) !== 0],
    ['cpu.realtimePeriod', (cpu.realtimePeriod ?? 0) !== 0],
    ['hugepageLimits', resources.hugepageLimits.length > 0],
    ['network', (resources.network.classID ?? 0) !== 0 || resources.network.priorities.length > 0],
    ['rdma', resources.rdma.length > 0],
    [
      'blockIO.leafWeight',
      (resources.blockIO.leafWeight ?? 0) !== 0 || resources.blockIO.leafWeightDevice.length > 0,
    ],
  ];
  const names = asked.flatMap(([name, present]) => (present ? [name] : []));
  if (names.length > 0) {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      `linux.resources: there is no setting of a unit for ${names.join(', ')}`,
    );
  }
}

function warnOfObsolete(
  { memory }: RuntimeResources,
  context: { warn(warning: string): void },
): void {
  const obsolete: readonly (readonly [string, boolean])[] = [
    ['memory.kernel', (memory.kernel ?? 0) > 0],
    ['memory.kernelTCP', (memory.kernelTCP ?? 0) > 0],
    ['memory.swappiness', memory.swappiness !== undefined],
    ['memory.disableOOMKiller', memory.disableOOMKiller],
  ];
  for (const [name, present] of obsolete) {
    if (present) context.warn(`linux.resources.${name} does not exist in cgroup v2, ignoring`);
  }
}

/** -1 is "no limit"; 0 says nothing, as in Go's documents. */
function amount(value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  return value < 0 ? 'infinity' : String(value);
}

function tasks(limit: number | undefined, companions: number): string | undefined {
  if (limit === undefined || limit === 0) return undefined;
  return limit < 0 ? 'infinity' : String(limit + companions);
}
