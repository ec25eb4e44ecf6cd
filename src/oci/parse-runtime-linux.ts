import type { ObjectReader } from './object-reader.js';
import {
  BLOCK_THROTTLES,
  type BlockDeviceValue,
  type DeviceRule,
  type IdMapping,
  type RuntimeDevice,
  type RuntimeLinux,
  type RuntimeResources,
  type SeccompProfile,
} from './runtime-config.js';

/** Parses the `linux` member of a config.json (runtime-spec 1.2 config-linux.md). */
export function parseRuntimeLinux(reader: ObjectReader): RuntimeLinux {
  const personality = reader.object('personality');
  const offsets = reader.object('timeOffsets');
  return {
    namespaces: reader.objects('namespaces').map((namespace) => ({
      type: namespace.requiredString('type'),
      path: namespace.string('path'),
    })),
    uidMappings: reader.objects('uidMappings').map(parseIdMapping),
    gidMappings: reader.objects('gidMappings').map(parseIdMapping),
    timeOffsets: Object.fromEntries(
      offsets.keys().map((clock) => {
        const offset = offsets.object(clock);
        const nanosecs = offset.integer('nanosecs', { min: 0, max: 999_999_999 }) ?? 0;
        return [clock, { secs: offset.integer('secs') ?? 0, nanosecs }];
      }),
    ),
    devices: reader.objects('devices').map(parseDevice),
    cgroupsPath: reader.string('cgroupsPath'),
    resources: parseResources(reader.object('resources')),
    sysctl: reader.stringMap('sysctl'),
    seccomp: reader.has('seccomp') ? parseSeccomp(reader.object('seccomp')) : undefined,
    rootfsPropagation: emptyAsAbsent(reader.string('rootfsPropagation')),
    maskedPaths: reader.strings('maskedPaths'),
    readonlyPaths: reader.strings('readonlyPaths'),
    mountLabel: emptyAsAbsent(reader.string('mountLabel')),
    personality: reader.has('personality')
      ? { domain: personality.requiredString('domain') }
      : undefined,
    hasIntelRdt: reader.has('intelRdt'),
  };
}

function parseIdMapping(reader: ObjectReader): IdMapping {
  return {
    containerID: reader.id('containerID') ?? reader.refuse('containerID', 'is missing'),
    hostID: reader.id('hostID') ?? reader.refuse('hostID', 'is missing'),
    size:
      reader.integer('size', { min: 1, max: 0xffff_ffff }) ?? reader.refuse('size', 'is missing'),
  };
}

/** Linux has 12 bits of major and 20 of minor numbers; more is taken as far as dev_t goes. */
const DEVICE_NUMBER = { min: 0, max: 0xffff_ffff };

function parseDevice(reader: ObjectReader): RuntimeDevice {
  const type = reader.requiredString('type');
  const path = reader.requiredString('path');
  if (!path.startsWith('/')) reader.refuse('path', 'is not an absolute path');
  if (type !== 'b' && type !== 'c' && type !== 'u' && type !== 'p') {
    reader.refuse('type', 'is not one of b, c, u and p');
  }
  return {
    type: type === 'u' ? 'c' : type,
    path,
    major: reader.integer('major', DEVICE_NUMBER) ?? 0,
    minor: reader.integer('minor', DEVICE_NUMBER) ?? 0,
    fileMode: reader.integer('fileMode', { min: 0, max: 0o177777 }),
    uid: reader.id('uid') ?? 0,
    gid: reader.id('gid') ?? 0,
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

function parseResources(reader: ObjectReader): RuntimeResources {
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
      swappiness: memory.integer('swappiness', { min: 0, max: 200 }),
      disableOOMKiller: memory.boolean('disableOOMKiller'),
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
        .map((entry) => parseBlockValue(entry, 'weight')),
      throttle: Object.fromEntries(
        BLOCK_THROTTLES.map((key) => [
          key,
          blockIO.objects(key).map((entry) => parseBlockValue(entry, 'rate')),
        ]),
      ) as unknown as RuntimeResources['blockIO']['throttle'],
    },
    hugepageLimits: reader.objects('hugepageLimits').map((limit) => ({
      pageSize: limit.requiredString('pageSize'),
      limit: limit.integer('limit', { min: 0 }) ?? 0,
    })),
    hasNetwork: reader.object('network').keys().length > 0,
    hasRdma: reader.object('rdma').keys().length > 0,
    unified: reader.stringMap('unified'),
  };
}

function parseBlockValue(reader: ObjectReader, key: string): BlockDeviceValue {
  return {
    major: reader.integer('major', DEVICE_NUMBER) ?? 0,
    minor: reader.integer('minor', DEVICE_NUMBER) ?? 0,
    value: reader.integer(key, { min: 0 }) ?? 0,
  };
}

function parseSeccomp(reader: ObjectReader): SeccompProfile {
  const errno = { min: 0, max: 4095 };
  return {
    defaultAction: reader.requiredString('defaultAction'),
    defaultErrnoRet: reader.integer('defaultErrnoRet', errno),
    architectures: reader.strings('architectures'),
    flags: reader.strings('flags'),
    listenerPath: emptyAsAbsent(reader.string('listenerPath')),
    syscalls: reader.objects('syscalls').map((rule) => ({
      names: rule.strings('names'),
      action: rule.requiredString('action'),
      errnoRet: rule.integer('errnoRet', errno),
      args: rule.objects('args').map((argument) => ({
        index:
          argument.integer('index', { min: 0, max: 5 }) ?? argument.refuse('index', 'is missing'),
        value: argument.integer('value', { min: 0 }) ?? 0,
        valueTwo: argument.integer('valueTwo', { min: 0 }) ?? 0,
        op: argument.requiredString('op'),
      })),
    })),
  };
}

function emptyAsAbsent(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
