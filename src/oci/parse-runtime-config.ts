import { parseStrictJson } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';
import { liftRuntimeConfig } from './lift-runtime-config.js';
import { ObjectReader } from './object-reader.js';
import { parseIdMapping, parseRuntimeLinux } from './parse-runtime-linux.js';
import {
  CAPABILITY_SETS,
  type RuntimeConfig,
  type RuntimeMount,
  type RuntimeProcess,
} from './runtime-config.js';

/** Largest config.json, in bytes: published ones have 15 KiB, and seccomp profiles add 20. */
export const MAX_RUNTIME_CONFIG_BYTES = 1_048_576;

/**
 * Parses a config.json (runtime-spec 1.2; drafts from 0.3 on are lifted). Wrong types are refused with the path to them,
 * unknown members ignored, as the specification asks.
 *
 * @throws {@link OperationalError} JSON_INVALID, RUNTIME_CONFIG_INVALID, LIMIT_EXCEEDED
 */
export function parseRuntimeConfig(
  source: string | Uint8Array,
  what = 'config.json',
): RuntimeConfig {
  if (source.length > MAX_RUNTIME_CONFIG_BYTES) {
    throw new OperationalError(
      'LIMIT_EXCEEDED',
      `${what} is larger than ${MAX_RUNTIME_CONFIG_BYTES} bytes`,
    );
  }
  const document = parseStrictJson(source, { what, refuseCaseTwins: true });
  const reader = new ObjectReader(liftRuntimeConfig(document), '');
  const ociVersion = reader.requiredString('ociVersion');
  if (!/^(0\.[3-9]|1)\.\d+/.test(ociVersion)) {
    reader.refuse('ociVersion', 'is not a version of the runtime specification that berth knows');
  }
  const hooks = reader.object('hooks');
  const root = reader.object('root');
  return {
    ociVersion,
    hostname: emptyAsAbsent(reader.string('hostname')),
    domainname: emptyAsAbsent(reader.string('domainname')),
    root: { path: root.requiredString('path'), readonly: root.boolean('readonly') },
    process: parseProcess(reader.object('process')),
    mounts: reader.objects('mounts').map(parseMount),
    hooks: hooks.keys().filter((name) => hooks.list(name).length > 0),
    linux: parseRuntimeLinux(reader.object('linux')),
    annotations: parseAnnotations(reader),
  };
}

/** config.md, "Annotations": a key says something. */
function parseAnnotations(reader: ObjectReader): RuntimeConfig['annotations'] {
  const annotations = reader.stringMap('annotations');
  if (Object.hasOwn(annotations, '')) reader.refuse('annotations', 'has an empty key');
  return annotations;
}

function parseProcess(reader: ObjectReader): RuntimeProcess {
  const args = reader.strings('args');
  if (args.length === 0 || args[0] === '') reader.refuse('args', 'names no program');
  const cwd = reader.requiredString('cwd');
  if (!cwd.startsWith('/')) reader.refuse('cwd', 'is not an absolute path');
  const user = reader.object('user');
  return {
    terminal: reader.boolean('terminal'),
    user: {
      uid: user.id('uid') ?? 0,
      gid: user.id('gid') ?? 0,
      umask: user.integer('umask', { min: 0, max: 0o777 }),
      additionalGids: user.ids('additionalGids'),
      username: emptyAsAbsent(user.string('username')),
    },
    args,
    env: reader.strings('env'),
    cwd,
    capabilities: parseCapabilities(reader),
    rlimits: reader.objects('rlimits').map((limit) => ({
      type: limit.requiredString('type'),
      soft: parseLimit(limit, 'soft'),
      hard: parseLimit(limit, 'hard'),
    })),
    noNewPrivileges: reader.boolean('noNewPrivileges'),
    oomScoreAdj: reader.integer('oomScoreAdj', { min: -1000, max: 1000 }),
    apparmorProfile: emptyAsAbsent(reader.string('apparmorProfile')),
    selinuxLabel: emptyAsAbsent(reader.string('selinuxLabel')),
    ...parseScheduling(reader),
    execCPUAffinity: parseAffinity(reader.object('execCPUAffinity')),
    consoleSize: parseConsoleSize(reader.object('consoleSize')),
  };
}

function parseScheduling(reader: ObjectReader): Pick<RuntimeProcess, 'ioPriority' | 'scheduler'> {
  const ioPriority = reader.object('ioPriority');
  const scheduler = reader.object('scheduler');
  return {
    ioPriority: reader.has('ioPriority')
      ? {
          class: ioPriority.requiredString('class'),
          priority: ioPriority.integer('priority', { min: 0, max: 7 }) ?? 0,
        }
      : undefined,
    scheduler: reader.has('scheduler')
      ? {
          policy: scheduler.requiredString('policy'),
          nice: scheduler.integer('nice', { min: -20, max: 19 }),
          priority: scheduler.integer('priority', { min: 0, max: 99 }),
          flags: scheduler.strings('flags'),
          runtime: scheduler.integer('runtime', { min: 0 }),
          deadline: scheduler.integer('deadline', { min: 0 }),
          period: scheduler.integer('period', { min: 0 }),
        }
      : undefined,
  };
}

/** A struct winsize holds 16 bits of each. */
const CONSOLE_SIDE = { min: 0, max: 0xffff };

function parseConsoleSize(reader: ObjectReader): RuntimeProcess['consoleSize'] {
  return {
    height: reader.integer('height', CONSOLE_SIDE) ?? 0,
    width: reader.integer('width', CONSOLE_SIDE) ?? 0,
  };
}

function parseAffinity(reader: ObjectReader): RuntimeProcess['execCPUAffinity'] {
  const list = (key: string): string | undefined => {
    const text = emptyAsAbsent(reader.string(key));
    if (text !== undefined && !/^[0-9, -]*$/.test(text)) {
      reader.refuse(key, 'is not a list of processors');
    }
    return text;
  };
  return { initial: list('initial'), final: list('final') };
}

function parseCapabilities(reader: ObjectReader): RuntimeProcess['capabilities'] {
  if (!reader.has('capabilities')) return undefined;
  const sets = reader.object('capabilities');
  return Object.fromEntries(
    CAPABILITY_SETS.map((set) => [set, sets.strings(set)]),
  ) as unknown as RuntimeProcess['capabilities'];
}

/** RLIM_INFINITY is 2^64-1, which a JSON number reaches only as 2^64. */
function parseLimit(reader: ObjectReader, key: string): number {
  const value = reader.value(key);
  if (typeof value !== 'number' || !Number.isInteger(value) || (value < 0 && value !== -1)) {
    reader.refuse(key, 'is not a resource limit');
  }
  if (value === -1 || value >= 2 ** 63) return Infinity;
  if (!Number.isSafeInteger(value)) reader.refuse(key, 'cannot be represented exactly');
  return value;
}

function parseMount(reader: ObjectReader): RuntimeMount {
  const destination = reader.requiredString('destination');
  if (destination === '') reader.refuse('destination', 'is empty');
  const uidMappings = reader.objects('uidMappings').map(parseIdMapping);
  const gidMappings = reader.objects('gidMappings').map(parseIdMapping);
  if ((uidMappings.length === 0) !== (gidMappings.length === 0)) {
    reader.refuse('uidMappings', 'and gidMappings have to be given together');
  }
  return {
    destination,
    type: emptyAsAbsent(reader.string('type')),
    source: emptyAsAbsent(reader.string('source')),
    options: reader.strings('options'),
    uidMappings,
    gidMappings,
  };
}

function emptyAsAbsent(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
