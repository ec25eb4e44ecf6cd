import type { ObjectReader } from './object-reader.js';
import {
  BLOCK_THROTTLES,
  type BlockDeviceValue,
  type DeviceRule,
  type RuntimeResources,
} from './runtime-config.js';

/** Linux has 12 bits of major and 20 of minor numbers; more is taken as far as dev_t goes. */
export const DEVICE_NUMBER = { min: 0, max: 0xffff_ffff };

/**
 * Parses `linux.resources` of a config.json, or the document of an update (config-linux.md, "Control groups"). What is
 * not said is undefined, or an empty list.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID
 */
export function parseRuntimeResources(reader: ObjectReader): RuntimeResources {
  const memory = reader.object('memory');
  const cpu = reader.object('cpu');
  const blockIO = reader.object('blockIO');
  return {
    devices: reader.objects('devices').map(parseDeviceRule),
    memory: {
      limit: memory.integer('limit', { min: -1 }),
      reservation: memory.integer('reservation', { min: -1 }),
      swap: memory.integer('swap', { min: -1 }),
      kernel: memory.integer('kernel', { min: -1 }),
      kernelTCP: memory.integer('kernelTCP', { min: -1 }),
      swappiness: memory.integer('swappiness', { min: 0, max: 100 }),
      disableOOMKiller: memory.boolean('disableOOMKiller'),
      useHierarchy: memory.boolean('useHierarchy'),
      checkBeforeUpdate: memory.boolean('checkBeforeUpdate'),
    },
    cpu: {
      shares: cpu.integer('shares', { min: 0 }),
      quota: cpu.integer('quota', { min: -1 }),
      period: cpu.integer('period', { min: 0 }),
      burst: cpu.integer('burst', { min: 0 }),
      realtimeRuntime: cpu.integer('realtimeRuntime'),
      realtimePeriod: cpu.integer('realtimePeriod'),
      idle: cpu.integer('idle', { min: 0, max: 1 }),
      cpus: emptyAsAbsent(cpu.string('cpus')),
      mems: emptyAsAbsent(cpu.string('mems')),
    },
    pidsLimit: reader.object('pids').integer('limit', { min: -1 }),
    blockIO: {
      weight: blockIO.integer('weight', { min: 0, max: 1000 }),
      leafWeight: blockIO.integer('leafWeight', { min: 0, max: 1000 }),
      weightDevice: blockIO
        .objects('weightDevice')
        .flatMap((entry) => (entry.has('weight') ? [parseBlockValue(entry, 'weight')] : [])),
      leafWeightDevice: blockIO
        .objects('weightDevice')
        .flatMap((entry) =>
          entry.has('leafWeight') ? [parseBlockValue(entry, 'leafWeight')] : [],
        ),
      throttle: Object.fromEntries(
        BLOCK_THROTTLES.map((key) => [
          key,
          blockIO.objects(key).map((entry) => parseBlockValue(entry, 'rate')),
        ]),
      ) as unknown as RuntimeResources['blockIO']['throttle'],
    },
    hugepageLimits: reader.objects('hugepageLimits').map(parseHugepageLimit),
    network: parseNetwork(reader.object('network')),
    rdma: parseRdma(reader.object('rdma')),
    unified: reader.stringMap('unified'),
  };
}

function parseDeviceRule(reader: ObjectReader): DeviceRule {
  const type = reader.string('type') ?? 'a';
  const access = reader.string('access') ?? 'rwm';
  if (type !== 'a' && type !== 'b' && type !== 'c')
    reader.refuse('type', 'is not one of a, b and c');
  if (!/^[rwm]{0,3}$/.test(access)) reader.refuse('access', 'has letters other than r, w and m');
  // -1 stands for all in documents that Docker wrote.
  const [major, minor] = ['major', 'minor'].map((key) => {
    const value = reader.integer(key, { min: -1, max: 0xffff_ffff });
    return value === -1 ? undefined : value;
  });
  return {
    allow: reader.boolean('allow'),
    type,
    access: access === '' ? 'rwm' : access,
    major,
    minor,
  };
}

function parseBlockValue(reader: ObjectReader, key: string): BlockDeviceValue {
  return {
    major: reader.integer('major', DEVICE_NUMBER) ?? 0,
    minor: reader.integer('minor', DEVICE_NUMBER) ?? 0,
    value: reader.integer(key, { min: 0 }) ?? 0,
  };
}

function parseHugepageLimit(reader: ObjectReader): RuntimeResources['hugepageLimits'][number] {
  const pageSize = reader.requiredString('pageSize');
  if (!/^[1-9][0-9]*[KMG]B$/.test(pageSize)) reader.refuse('pageSize', 'is not a size as 2MB');
  return {
    pageSize,
    limit: unsignedLimit(reader, 'limit') ?? reader.refuse('limit', 'is missing'),
  };
}

/** Go writes "no limit" as 2^64-1, which no double holds. */
function unsignedLimit(reader: ObjectReader, key: string): number | undefined {
  const value = reader.value(key);
  return typeof value === 'number' && value >= 2 ** 63 && value <= 2 ** 64
    ? Infinity
    : reader.integer(key, { min: 0 });
}

function parseNetwork(reader: ObjectReader): RuntimeResources['network'] {
  return {
    classID: reader.integer('classID', { min: 0, max: 0xffff_ffff }),
    priorities: reader.objects('priorities').map((entry) => ({
      name: entry.requiredString('name'),
      priority:
        entry.integer('priority', { min: 0, max: 0xffff_ffff }) ??
        entry.refuse('priority', 'is missing'),
    })),
  };
}

function parseRdma(reader: ObjectReader): RuntimeResources['rdma'] {
  return reader.keys().map((device) => {
    if (!/^[\w.:-]+$/.test(device)) reader.refuse(device, 'is not the name of a device');
    const limits = reader.object(device);
    const count = { min: 0, max: 0xffff_ffff };
    return {
      device,
      hcaHandles: limits.integer('hcaHandles', count),
      hcaObjects: limits.integer('hcaObjects', count),
    };
  });
}

function emptyAsAbsent(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
