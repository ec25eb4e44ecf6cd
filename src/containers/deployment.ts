import { JsonReader } from '../base/json-reader.js';
import { parseStrictJson, type JsonValue } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';
import { parseDigest, type Digest } from '../oci/digest.js';
import type { TrustRecord } from '../trust/image-trust.js';
import { readDependencies, type ContainerDependencies } from './container-dependencies.js';
import { parseNewestSeen, type NewestSeen } from './freshness.js';
import { readHealthCheck, type HealthCheck } from './health-check.js';
import { recordedReference } from './recorded-reference.js';
import type { SealedRoot } from './sealed-root.js';
import { parseDeployedFilter, type DeployedFilter } from './deployed-filter.js';

/** Format of deployment.json that this version writes; readers accept it and all older ones. */
const DEPLOYMENT_FORMAT = 2;

/** Largest deployment.json that is read: one with 10,000 host files has about 2 MiB. */
export const MAX_DEPLOYMENT_BYTES = 8 * 1024 * 1024;

/**
 * One complete version of an installed container: the directory `NAME.N` with `rootfs/`, `config.json`, `launch.plan`,
 * unit texts and the file `deployment.json`, which holds this record. The record is written last, and with it the
 * directory is complete: whoever finds it may rely on everything it says. Never changed afterwards.
 */
export interface Deployment {
  readonly name: string;
  /** The N of `NAME.N`. */
  readonly number: number;
  readonly image: DeployedImage;
  /** All values that the templates were rendered with, forced ones included. */
  readonly values: Readonly<Record<string, string>>;
  /** The values that the administrator set: what an update carries over. */
  readonly setValues: Readonly<Record<string, string>>;
  /** `berth` for the built-in runtime, else the program of a foreign one. */
  readonly runtime: string;
  readonly storage: 'embedded' | 'ostree';
  /** `checkout` where `rootfs/` is ours, else the directory given with `--rootfs`. */
  readonly rootfs: string;
  /** What the container has as its root instead of the checkout; undefined where it has that. Format 2. */
  readonly sealedRoot?: SealedRoot | undefined;
  /** The launcher that the unit runs, as the host sees it; undefined for a foreign runtime or without a service. */
  readonly launcher: string | undefined;
  /** Everything outside the deployment that belongs to it. */
  readonly files: readonly DeployedFile[];
  /** Units to enable, first the container's own; empty with `noContainerService`. */
  readonly units: readonly string[];
  /**
   * Folders that its tmpfiles lines make and that were not there before it was installed, parents first: what it keeps
   * its state in.
   */
  readonly createdPaths: readonly string[];
  /** Paths that the image brings and that the host had by itself when they came up: left as they were. Format 2. */
  readonly foreignPaths: readonly string[];
  /** Guarded paths of the host that the administrator allowed it; they stay allowed over updates. Format 2. */
  readonly allowedHostPaths: readonly string[];
  /** What the image was granted: compared with what an update asks for. */
  readonly permissions: DeployedPermissions;
  /** What it says of other containers. Format 2. */
  readonly dependencies: ContainerDependencies;
  /** How an update finds out whether it is well. Format 2. */
  readonly health: HealthCheck;
  /** Labels of the image: what a comparison of two deployments shows. Format 2. */
  readonly labels: Readonly<Record<string, string>>;
  /** Names of the variables whose values are secrets; the values stand nowhere in this record. Format 2. */
  readonly secrets: readonly string[];
  /** Where its filter of system calls is from; undefined without a service, and in what older versions wrote. Format 2. */
  readonly filter?: DeployedFilter | undefined;
  /** Of the administrator's own changes that were laid over its config.json; undefined where there were none. Format 2. */
  readonly configChanges?: string | undefined;
  /** Of the config.json as it was made: whether somebody edited it. Undefined where `filter` is. Format 2. */
  readonly configSha256?: string | undefined;
  readonly warnings: readonly string[];
  /**
   * Where atomic keeps a container that was adopted from it: `/var/lib/containers/atomic/NAME.N`; undefined for what berth
   * installed. The digest of its image is the one that atomic noted, the store may know nothing of it. Format 2.
   */
  readonly adoptedFrom?: string | undefined;
  /** RFC 3339, for people; decides nothing. */
  readonly createdAt: string;
  /** Of berth, when it was made. */
  readonly version: string;
}

/** The image of a deployment. */
export interface DeployedImage {
  /** What the administrator named, with what was found for it: what `update` looks up again. */
  readonly reference: string;
  /** As the store files it. */
  readonly storeName: string;
  /** Of the manifest. */
  readonly digest: Digest;
  /** Why it was taken, and who signed it; undefined for what was installed before there was a policy, and for what was adopted. */
  readonly trust?: TrustRecord | undefined;
  /** The newest signed image that was seen of the reference, this one or one before. Format 2. */
  readonly newest?: NewestSeen | undefined;
}

/** What a file on the host is for. */
export const FILE_ROLES = ['unit', 'drop-in', 'tmpfiles', 'host-file'] as const;

/** One of {@link FILE_ROLES}. */
export type FileRole = (typeof FILE_ROLES)[number];

/** A file on the host that a deployment put there, as it was put there. */
export interface DeployedFile {
  readonly role: FileRole;
  /** Absolute path on the host, normalised. */
  readonly path: string;
  readonly kind: 'file' | 'symlink' | 'directory';
  /** SHA-256 of the content, or of the link's target; `''` for a directory. */
  readonly sha256: string;
  readonly mode: number;
  /** Where the deployment keeps the same content, relative to its directory; `''` for a directory. */
  readonly source: string;
}

/** What a container may do on the host, in a person's words; sorted, so that two can be compared. */
export interface DeployedPermissions {
  readonly capabilities: readonly string[];
  readonly hostMounts: readonly string[];
  /** Namespaces that it shares with the host. */
  readonly sharedNamespaces: readonly string[];
  readonly devices: readonly string[];
  readonly hostPaths: readonly string[];
  readonly user: string;
}

/** The text of deployment.json. */
export function formatDeployment(deployment: Deployment): string {
  return `${JSON.stringify({ format: DEPLOYMENT_FORMAT, ...deployment }, null, 2)}\n`;
}

/**
 * Parses deployment.json.
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID if it is damaged, STORE_FORMAT if a newer berth wrote it
 */
export function parseDeployment(text: string | Uint8Array, what: string): Deployment {
  const reader = new JsonReader(parseStateJson(text, what), what);
  const format = reader.member('format').integer();
  if (format > DEPLOYMENT_FORMAT) {
    throw new OperationalError(
      'STORE_FORMAT',
      `${what} has format ${format}, this berth reads up to ${DEPLOYMENT_FORMAT}`,
      { hint: 'use the newer berth that wrote it' },
    );
  }
  return {
    name: reader.member('name').string(),
    number: reader.member('number').integer(),
    image: parseDeployedImage(reader.member('image')),
    values: reader.member('values').stringMap(),
    setValues: reader.member('setValues').stringMap(),
    runtime: reader.member('runtime').string(),
    storage: reader.member('storage').string() === 'ostree' ? 'ostree' : 'embedded',
    rootfs: reader.member('rootfs').string(),
    sealedRoot: parseSealedRoot(reader.member('sealedRoot')),
    launcher: reader.member('launcher').optionalString(),
    files: reader.member('files').list().map(parseDeployedFile),
    units: reader.member('units').strings(),
    createdPaths: reader.member('createdPaths').strings(),
    foreignPaths: reader.member('foreignPaths').strings(),
    allowedHostPaths: reader.member('allowedHostPaths').strings(),
    permissions: parsePermissions(reader.member('permissions')),
    dependencies: readDependencies(reader.member('dependencies')),
    health: readHealthCheck(reader.member('health')),
    labels: reader.member('labels').stringMap(),
    secrets: reader.member('secrets').strings(),
    filter: parseDeployedFilter(reader.member('filter')),
    configChanges: reader.member('configChanges').optionalString(),
    configSha256: reader.member('configSha256').optionalString(),
    warnings: reader.member('warnings').strings(),
    adoptedFrom: reader.member('adoptedFrom').optionalString(),
    createdAt: reader.member('createdAt').string(),
    version: reader.member('version').string(),
  };
}

/**
 * Parses one of berth's own state files: what is not JSON is damage, not a stranger's document. Nobody but root writes there, so
 * that the engine's parser will do, which is thirty times as quick; what it refuses, the strict one says in its words.
 */
export function parseStateJson(text: string | Uint8Array, what: string): JsonValue {
  try {
    return JSON.parse(typeof text === 'string' ? text : decoder.decode(text)) as JsonValue;
  } catch {
    return parseDamaged(text, what);
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parseDamaged(text: string | Uint8Array, what: string): JsonValue {
  try {
    return parseStrictJson(text, { what });
  } catch (cause) {
    throw new OperationalError('CONTAINER_STATE_INVALID', `${what} is damaged`, { cause });
  }
}

/** Reads one file entry of a deployment or of the journal. */
export function parseDeployedFile(reader: JsonReader): DeployedFile {
  const role = FILE_ROLES.find((known) => known === reader.member('role').string());
  const kind = reader.member('kind').string();
  return {
    role: role ?? 'host-file',
    path: reader.member('path').string(),
    kind: kind === 'symlink' || kind === 'directory' ? kind : 'file',
    sha256: reader.member('sha256').string(),
    mode: reader.member('mode').integer(),
    source: reader.member('source').string(),
  };
}

/** Older records have the name as it was typed; what it meant then stands beside it. */
function parseDeployedImage(reader: JsonReader): DeployedImage {
  const given = reader.member('reference').string();
  const storeName = reader.member('storeName').string();
  const reference = recordedReference(given, storeName);
  const newest = parseNewestSeen(reader.member('newest'));
  return {
    reference,
    storeName,
    digest: parseDigest(reader.member('digest').string()),
    trust: parseTrust(reader.member('trust')),
    newest: newest?.reference === given ? { ...newest, reference } : newest,
  };
}

function parseSealedRoot(reader: JsonReader): SealedRoot | undefined {
  if (!reader.present) return undefined;
  return {
    image: reader.member('image').string(),
    digest: reader.member('digest').string(),
    objects: reader.member('objects').string(),
    mountPoints: reader
      .member('mountPoints')
      .list()
      .map((point) => ({
        path: point.member('path').string(),
        kind: point.member('kind').string() === 'file' ? 'file' : 'directory',
      })),
  };
}

function parseTrust(reader: JsonReader): TrustRecord | undefined {
  if (!reader.present) return undefined;
  return {
    scope: reader.member('scope').string(),
    signatures: reader
      .member('signatures')
      .list()
      .map((signature) => ({
        type: signature.member('type').string() === 'signedBy' ? 'signedBy' : 'sigstoreSigned',
        key: signature.member('key').string(),
        identity: signature.member('identity').string(),
        madeAtMs: signature.member('madeAtMs').optionalInteger(),
      })),
  };
}

function parsePermissions(reader: JsonReader): DeployedPermissions {
  return {
    capabilities: reader.member('capabilities').strings(),
    hostMounts: reader.member('hostMounts').strings(),
    sharedNamespaces: reader.member('sharedNamespaces').strings(),
    devices: reader.member('devices').strings(),
    hostPaths: reader.member('hostPaths').strings(),
    user: reader.member('user').string(),
  };
}
