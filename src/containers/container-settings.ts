import { join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { syncFolder, writeFileAtomically } from '../base/atomic-file.js';
import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { JsonReader } from '../base/json-reader.js';
import { unlink } from '../base/quick-files.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { parseDigest, type Digest } from '../oci/digest.js';
import { parseStateJson } from './deployment.js';

const SETTINGS_FORMAT = 1;

/** Largest settings file that is read: one with every digest of ten years of nightly updates has 1 MiB. */
const MAX_SETTINGS_BYTES = 4 * 1024 * 1024;

/** Digests that are remembered as bad, the latest ones: older images are not offered any more. */
const MAX_REJECTED = 100;

/**
 * What is kept of a container beside its deployments: it changes, and they never do. In `.settings/NAME.json`; there only
 * once something was set. Changed with the lock of the name held.
 */
export interface ContainerSettings {
  /** Numbers of deployments that are never reused or removed. */
  readonly pinned: readonly number[];
  /** Images that were tried and went back; not tried again without being told to. */
  readonly rejected: readonly RejectedImage[];
  /** Numbers of deployments in the order in which they last became the present one, the latest last. */
  readonly order: readonly number[];
  /** How the timer updates it, in berth's own configuration words; empty where the defaults hold. */
  readonly updatePolicy: Readonly<Record<string, string>>;
  /** What the timer found and leaves to a person; undefined where there is nothing. */
  readonly held?: HeldUpdate | undefined;
}

/** An image that may do more than the installed one. */
export interface HeldUpdate {
  /** The image that was installed when it was found. */
  readonly from: Digest;
  readonly reference: string;
  readonly digest: Digest;
  readonly asks: readonly string[];
  /** RFC 3339. */
  readonly at: string;
}

/** An image whose deployment did not become or stay healthy. */
export interface RejectedImage {
  readonly digest: Digest;
  readonly reason: string;
  /** RFC 3339. */
  readonly at: string;
}

const NO_SETTINGS: ContainerSettings = { pinned: [], rejected: [], order: [], updatePolicy: {} };

/**
 * The settings of a container; the defaults where nothing was set.
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID, STORE_FORMAT
 */
export async function readSettings(paths: HostPaths, name: string): Promise<ContainerSettings> {
  const file = settingsFile(paths, name);
  let bytes: Uint8Array;
  try {
    bytes = await readFileBounded(paths.onDisk(file), { maxBytes: MAX_SETTINGS_BYTES });
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return NO_SETTINGS;
    throw error;
  }
  const what = quote(file);
  const reader = new JsonReader(parseStateJson(bytes, what), what);
  const format = reader.member('format').integer();
  if (format > SETTINGS_FORMAT) {
    throw new OperationalError(
      'STORE_FORMAT',
      `${what} has format ${format}, this berth reads up to ${SETTINGS_FORMAT}`,
    );
  }
  return {
    pinned: reader
      .member('pinned')
      .list()
      .map((number) => number.integer()),
    rejected: reader
      .member('rejected')
      .list()
      .map((rejected) => ({
        digest: parseDigest(rejected.member('digest').string()),
        reason: rejected.member('reason').string(),
        at: rejected.member('at').string(),
      })),
    order: reader
      .member('order')
      .list()
      .map((number) => number.integer()),
    updatePolicy: reader.member('updatePolicy').stringMap(),
    ...parseHeld(reader.member('held')),
  };
}

function parseHeld(reader: JsonReader): Pick<ContainerSettings, 'held'> {
  if (!reader.present) return {};
  return {
    held: {
      from: parseDigest(reader.member('from').string()),
      reference: reader.member('reference').string(),
      digest: parseDigest(reader.member('digest').string()),
      asks: reader.member('asks').strings(),
      at: reader.member('at').string(),
    },
  };
}

/** Changes settings; durable when it returns. The file goes away where nothing is set any more. */
export async function changeSettings(
  paths: HostPaths,
  name: string,
  changes: Partial<ContainerSettings>,
): Promise<ContainerSettings> {
  const settings = { ...(await readSettings(paths, name)), ...changes };
  const kept = { ...settings, rejected: settings.rejected.slice(-MAX_REJECTED) };
  if (JSON.stringify(kept) === JSON.stringify(NO_SETTINGS)) {
    await removeSettings(paths, name);
    return kept;
  }
  await makeFolders(paths.onDisk(paths.settingsDir), 0o700);
  await writeFileAtomically(
    paths.onDisk(settingsFile(paths, name)),
    `${JSON.stringify({ format: SETTINGS_FORMAT, ...kept }, null, 2)}\n`,
    { mode: 0o600 },
  );
  return kept;
}

/** Forgets all settings of a container: it was uninstalled. */
export async function removeSettings(paths: HostPaths, name: string): Promise<void> {
  try {
    await unlink(paths.onDisk(settingsFile(paths, name)));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return;
    throw error;
  }
  await syncFolder(paths.onDisk(paths.settingsDir));
}

/** Where the settings of a container are. */
export function settingsFile(paths: HostPaths, name: string): string {
  return join(paths.settingsDir, `${name}.json`);
}
