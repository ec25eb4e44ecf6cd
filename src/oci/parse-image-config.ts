import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { parseDigest, type Digest } from './digest.js';
import type { ImageConfig, ImageHealthcheck, ImageProcessDefaults } from './image-config.js';
import { JsonFields } from './json-fields.js';
import type { ImageManifest } from './manifest.js';

/** Largest image configuration in bytes that is read; the largest seen are some 100 KB (long histories). */
export const MAX_IMAGE_CONFIG_BYTES = 4 * 1024 * 1024;

/** Longest single argument or variable in bytes: Linux' MAX_ARG_STRLEN, with its NUL. Longer ones fail at execve. */
const MAX_ARGUMENT_BYTES = 131_071;

/** Most bytes of arguments and environment together: what execve takes with the usual 8 MiB stack. */
const MAX_PROCESS_BYTES = 2 * 1024 * 1024;

/**
 * Parses an image configuration (image-spec v1.1 config.md; Docker's has the same members) and holds it against its
 * manifest. History, and whatever else decides nothing, is not read.
 *
 * @throws {@link OperationalError} JSON_INVALID or IMAGE_CONFIG_INVALID
 */
export function parseImageConfig(
  bytes: Uint8Array,
  options: { readonly what: string; readonly manifest: Pick<ImageManifest, 'layers'> },
): ImageConfig {
  const { what, manifest } = options;
  if (bytes.length > MAX_IMAGE_CONFIG_BYTES) {
    throw new OperationalError(
      'LIMIT_EXCEEDED',
      `${what} is larger than ${MAX_IMAGE_CONFIG_BYTES} bytes`,
    );
  }
  const fields = JsonFields.parse(bytes, { what, code: 'IMAGE_CONFIG_INVALID' });
  const diffIds = parseDiffIds(fields.object('rootfs'));
  if (diffIds.length !== manifest.layers.length) {
    fields.fail(
      'rootfs.diff_ids',
      `has ${diffIds.length} layers, but the manifest has ${manifest.layers.length}`,
    );
  }
  return {
    platform: {
      os: fields.string('os'),
      architecture: fields.string('architecture'),
      variant: emptyAsAbsent(fields.optionalString('variant')),
      osVersion: emptyAsAbsent(fields.optionalString('os.version')),
    },
    created: parseCreated(fields),
    diffIds,
    process: parseProcess(fields.optionalObject('config')),
    labels: fields.optionalObject('config')?.stringMap('Labels') ?? {},
  };
}

function parseDiffIds(rootfs: JsonFields): readonly Digest[] {
  // config.md: "MUST be set to layers. Implementations MUST generate an error if they encounter an unknown value."
  if (rootfs.string('type') !== 'layers') rootfs.fail('type', "is not 'layers'");
  return rootfs.strings('diff_ids').map((text) => {
    try {
      return parseDigest(text);
    } catch (error) {
      if (error instanceof OperationalError) rootfs.fail('diff_ids', `holds: ${error.message}`);
      throw error;
    }
  });
}

/** A wrong one is as good as none. */
function parseCreated(fields: JsonFields): string | undefined {
  try {
    return fields.optionalString('created');
  } catch (error) {
    if (error instanceof OperationalError) return undefined;
    throw error;
  }
}

function parseProcess(config: JsonFields | undefined): ImageProcessDefaults {
  if (config === undefined) {
    return {
      user: '',
      env: [],
      entrypoint: [],
      cmd: [],
      workingDir: '',
      stopSignal: undefined,
      volumes: [],
      exposedPorts: [],
      healthcheck: undefined,
    };
  }
  const env = parseEnv(config);
  const entrypoint = config.strings('Entrypoint');
  const cmd = config.strings('Cmd');
  limitProcess(config, [...entrypoint, ...cmd, ...env]);
  return {
    user: config.optionalString('User') ?? '',
    env,
    entrypoint,
    cmd,
    workingDir: parseWorkingDir(config),
    stopSignal: parseStopSignal(config),
    volumes: [...new Set(config.keys('Volumes').map((path) => normaliseVolume(config, path)))],
    exposedPorts: [...new Set(config.keys('ExposedPorts').map((port) => parsePort(config, port)))],
    healthcheck: parseHealthcheck(config.optionalObject('Healthcheck')),
  };
}

/** `NAME=VALUE`; of two with one name the later counts, in the place of the earlier: what the engines do. */
function parseEnv(config: JsonFields): readonly string[] {
  const byName = new Map<string, string>();
  for (const variable of config.strings('Env')) {
    const equals = variable.indexOf('=');
    if (equals < 1) config.fail('Env', `holds ${quote(variable)}, which is not NAME=VALUE`);
    byName.set(variable.slice(0, equals), variable);
  }
  return [...byName.values()];
}

function limitProcess(config: JsonFields, words: readonly string[]): void {
  let total = 0;
  for (const word of words) {
    const bytes = Buffer.byteLength(word);
    if (bytes > MAX_ARGUMENT_BYTES) {
      config.fail('', `has an argument or variable of more than ${MAX_ARGUMENT_BYTES} bytes`);
    }
    total += bytes + 1;
  }
  if (total > MAX_PROCESS_BYTES) {
    config.fail('', `has more than ${MAX_PROCESS_BYTES} bytes of arguments and environment`);
  }
}

function parseWorkingDir(config: JsonFields): string {
  const path = config.optionalString('WorkingDir') ?? '';
  return path === '' || path.startsWith('/') ? path : `/${path}`;
}

function parseStopSignal(config: JsonFields): string | undefined {
  const signal = emptyAsAbsent(config.optionalString('StopSignal'));
  if (signal !== undefined && !/^[A-Za-z0-9+-]{1,32}$/.test(signal)) {
    config.fail('StopSignal', 'is not the name or number of a signal');
  }
  return signal;
}

/** An absolute path without `.`, `..` and doubled slashes; `..` is refused rather than resolved (CVE-2022-23648). */
function normaliseVolume(config: JsonFields, path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) config.fail('Volumes', `holds ${quote(path)}, which leads upwards`);
  if (parts.length === 0) config.fail('Volumes', `holds ${quote(path)}, which is the root itself`);
  return `/${parts.join('/')}`;
}

function parsePort(config: JsonFields, text: string): string {
  const [, port = '', protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  if (port === '' || Number(port) > 65_535) {
    config.fail('ExposedPorts', `holds ${quote(text)}, which is not PORT/PROTOCOL`);
  }
  return `${Number(port)}/${protocol.toLowerCase()}`;
}

function parseHealthcheck(fields: JsonFields | undefined): ImageHealthcheck | undefined {
  const test = fields?.strings('Test') ?? [];
  const [kind] = test;
  if (fields === undefined || kind === undefined || kind === '') return undefined;
  if (!['NONE', 'CMD', 'CMD-SHELL'].includes(kind)) {
    fields.fail('Test', `begins with ${quote(kind)}, not with NONE, CMD or CMD-SHELL`);
  }
  return {
    test,
    intervalNs: fields.optionalCount('Interval') ?? 0,
    timeoutNs: fields.optionalCount('Timeout') ?? 0,
    startPeriodNs: fields.optionalCount('StartPeriod') ?? 0,
    retries: fields.optionalCount('Retries') ?? 0,
  };
}

function emptyAsAbsent(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
