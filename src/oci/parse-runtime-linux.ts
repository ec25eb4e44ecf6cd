import type { ObjectReader } from './object-reader.js';
import { DEVICE_NUMBER, parseRuntimeResources } from './parse-runtime-resources.js';
import type {
  IdMapping,
  RuntimeDevice,
  RuntimeLinux,
  RuntimeMemoryPolicy,
  SeccompProfile,
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
    resources: parseRuntimeResources(reader.object('resources')),
    sysctl: reader.stringMap('sysctl'),
    seccomp: reader.has('seccomp') ? parseSeccomp(reader.object('seccomp')) : undefined,
    rootfsPropagation: emptyAsAbsent(reader.string('rootfsPropagation')),
    maskedPaths: reader.strings('maskedPaths'),
    readonlyPaths: reader.strings('readonlyPaths'),
    mountLabel: emptyAsAbsent(reader.string('mountLabel')),
    personality: reader.has('personality')
      ? { domain: personality.requiredString('domain'), flags: personality.strings('flags') }
      : undefined,
    memoryPolicy: reader.has('memoryPolicy')
      ? parseMemoryPolicy(reader.object('memoryPolicy'))
      : undefined,
    hasIntelRdt: reader.has('intelRdt'),
    netDevices: reader.object('netDevices').keys(),
  };
}

function parseMemoryPolicy(reader: ObjectReader): RuntimeMemoryPolicy {
  return {
    mode: reader.requiredString('mode'),
    nodes: emptyAsAbsent(reader.string('nodes')),
    flags: reader.strings('flags'),
  };
}

/** One past the largest id. */
const ID_END = 2 ** 32;

/** Parses one line of a map of ids. @throws {@link OperationalError} RUNTIME_CONFIG_INVALID */
export function parseIdMapping(reader: ObjectReader): IdMapping {
  const mapping = parseIdRange(reader);
  if (Math.max(mapping.containerID, mapping.hostID) + mapping.size > ID_END) {
    reader.refuse('size', 'goes past the last id');
  }
  return mapping;
}

function parseIdRange(reader: ObjectReader): IdMapping {
  return {
    containerID: reader.id('containerID') ?? reader.refuse('containerID', 'is missing'),
    hostID: reader.id('hostID') ?? reader.refuse('hostID', 'is missing'),
    size:
      reader.integer('size', { min: 1, max: 0xffff_ffff }) ?? reader.refuse('size', 'is missing'),
  };
}

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

function parseSeccomp(reader: ObjectReader): SeccompProfile {
  const errno = { min: 0, max: 4095 };
  return {
    defaultAction: reader.requiredString('defaultAction'),
    defaultErrnoRet: reader.integer('defaultErrnoRet', errno),
    architectures: reader.strings('architectures'),
    flags: reader.strings('flags'),
    listenerPath: emptyAsAbsent(reader.string('listenerPath')),
    listenerMetadata: emptyAsAbsent(reader.string('listenerMetadata')),
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
