import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { finalNameOf, syncFolder, writeFileAtomically } from '../base/atomic-file.js';
import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { JsonReader } from '../base/json-reader.js';
import { readdir, unlink } from '../base/quick-files.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { syncFileSystemOf } from '../sys/sync.js';
import { parseDigest } from '../oci/digest.js';
import { MAX_DEPLOYMENT_BYTES, parseDeployedFile, parseStateJson } from './deployment.js';
import type { Transition, TransitionSide } from './transition.js';

/** Largest entry that is read: two deployments for each container of a set. */
const MAX_JOURNAL_BYTES = 16 * MAX_DEPLOYMENT_BYTES;

const JOURNAL_FORMAT = 2;

/** The verbs that change the host; what is under way is written down before its first change. */
export const JOURNAL_OPERATIONS = [
  'install',
  'adopt',
  'update',
  'rollback',
  'undo',
  'uninstall',
] as const;

/** One of {@link JOURNAL_OPERATIONS}. */
export type JournalOperation = (typeof JOURNAL_OPERATIONS)[number];

/**
 * A change under way: `.journal/NAME.json`, there from before the first change on the host until after the last. Whoever
 * holds the lock of NAME and finds it knows that the holder before died, and finishes the change or takes it back. No
 * phase is kept in it: the NAME link says how far it came. Before the link points to what is new, an install, update,
 * adoption or rollback is taken back; after it, finished. One that was being taken back (`undo`) and an uninstall are always finished.
 */
export interface JournalEntry {
  readonly operation: JournalOperation;
  /** Of the container. */
  readonly name: string;
  /** In the order in which they are started; all of them change, or none. */
  readonly transitions: readonly Transition[];
  /** Uninstall: whether the folders of the container's state go too, with what is in them. */
  readonly purge: boolean;
  /** How many deployments of each are kept, pinned ones not counted. */
  readonly keep: number;
  /** Whether the service has to prove itself before the change counts. */
  readonly watch: boolean;
  /** What sets still had to clear up of these containers: theirs again where this is taken back. */
  readonly left?: readonly LeftEntry[];
}

/** A part of the entry of a set. */
export type LeftEntry = Omit<JournalEntry, 'left'>;

/** Where the entry of a container is. */
export function journalFile(paths: HostPaths, name: string): string {
  return join(paths.journalDir, `${name}.json`);
}

/** Writes the entry; when it returns, a power cut keeps it. */
export async function beginJournal(paths: HostPaths, entry: JournalEntry): Promise<void> {
  const folder = paths.onDisk(paths.journalDir);
  await makeFolders(folder, 0o700);
  await writeFileAtomically(
    paths.onDisk(journalFile(paths, entry.name)),
    `${JSON.stringify({ format: JOURNAL_FORMAT, ...entry }, null, 2)}\n`,
    { mode: 0o600 },
  );
}

/**
 * Removes the entry: the change is done, or undone. Everything that was changed is made durable first, whoever did it: the
 * links that enable a unit are systemd's work, and it syncs nothing. Some file systems (btrfs) keep the removal of
 * the entry and lose what came before it. Nothing happens where there is no entry.
 */
export async function endJournal(paths: HostPaths, name: string): Promise<void> {
  if (!existsSync(paths.onDisk(journalFile(paths, name)))) return;
  const folders = [paths.stateDir, paths.unitDir, paths.tmpfilesDir];
  await syncFileSystemsOf(folders.map((folder) => paths.onDisk(folder)));
  try {
    await unlink(paths.onDisk(journalFile(paths, name)));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
  await syncFolder(paths.onDisk(paths.journalDir));
}

async function syncFileSystemsOf(folders: readonly string[]): Promise<void> {
  const devices = new Map<number, string>();
  for (const folder of folders) {
    const status = statSync(folder, { throwIfNoEntry: false });
    if (status !== undefined) devices.set(status.dev, folder);
  }
  for (const folder of devices.values()) await syncFileSystemOf(folder);
}

/** The change of a container that was interrupted, if there is one. Call with the lock of the name held. */
export async function findJournal(
  paths: HostPaths,
  name: string,
): Promise<JournalEntry | undefined> {
  const file = journalFile(paths, name);
  try {
    const bytes = await readFileBounded(paths.onDisk(file), { maxBytes: MAX_JOURNAL_BYTES });
    return parseJournal(bytes, quote(file));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Names of the containers with an entry, or the beginning of one: work for `berth recover`. */
export async function listJournal(paths: HostPaths): Promise<readonly string[]> {
  try {
    const entries = await readdir(paths.onDisk(paths.journalDir));
    const files = entries.map((entry) => finalNameOf(entry) ?? entry);
    return [...new Set(files)]
      .filter((file) => file.endsWith('.json') && !file.startsWith('.'))
      .map((file) => file.slice(0, -'.json'.length))
      .sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function parseJournal(bytes: Uint8Array, what: string): JournalEntry {
  const reader = new JsonReader(parseStateJson(bytes, what), what);
  const format = reader.member('format').integer();
  if (format > JOURNAL_FORMAT) {
    throw new OperationalError(
      'STORE_FORMAT',
      `${what} has format ${format}, this berth reads up to ${JOURNAL_FORMAT}`,
      { hint: 'use the newer berth that wrote it' },
    );
  }
  const operation = parseOperation(reader, what);
  const name = reader.member('name').string();
  const purge = reader.member('purge').boolean();
  if (format === 1) {
    const transitions = [parseFirstFormat(reader, { operation, name })];
    return { operation, name, transitions, purge, keep: 1, watch: false };
  }
  const left = reader.member('left').present ? reader.member('left').list() : [];
  return {
    operation,
    name,
    ...parseChange(reader),
    ...(left.length > 0 && { left: left.map((one) => parseLeft(one, what)) }),
  };
}

function parseChange(
  reader: JsonReader,
): Pick<JournalEntry, 'transitions' | 'purge' | 'keep' | 'watch'> {
  return {
    transitions: reader.member('transitions').list().map(parseTransition),
    purge: reader.member('purge').boolean(),
    keep: reader.member('keep').integer(),
    watch: reader.member('watch').boolean(),
  };
}

function parseLeft(reader: JsonReader, what: string): LeftEntry {
  return {
    operation: parseOperation(reader, what),
    name: reader.member('name').string(),
    ...parseChange(reader),
  };
}

function parseOperation(reader: JsonReader, what: string): JournalOperation {
  const text = reader.member('operation').string();
  const operation = JOURNAL_OPERATIONS.find((known) => known === text);
  if (operation !== undefined) return operation;
  throw new OperationalError('CONTAINER_STATE_INVALID', `${what} is damaged: unknown operation`);
}

/** Format 1 knew one deployment, coming or going. */
function parseFirstFormat(
  reader: JsonReader,
  { operation, name }: Pick<JournalEntry, 'operation' | 'name'>,
): Transition {
  const units = reader.member('units').strings();
  const side: TransitionSide = {
    number: reader.member('number').integer(),
    digest: undefined,
    files: reader.member('files').list().map(parseDeployedFile),
    units,
    enabled: units,
    up: [],
    createdPaths: reader.member('createdPaths').strings(),
  };
  const comes = operation === 'install';
  return {
    name,
    from: comes ? undefined : side,
    to: comes ? side : undefined,
    builds: operation !== 'uninstall',
    starts: false,
    dependents: [],
    rejected: undefined,
  };
}

function parseTransition(reader: JsonReader): Transition {
  return {
    name: reader.member('name').string(),
    from: parseSide(reader.member('from')),
    to: parseSide(reader.member('to')),
    builds: reader.member('builds').boolean(),
    starts: reader.member('starts').boolean(),
    dependents: reader.member('dependents').strings(),
    rejected: reader.member('rejected').optionalString(),
  };
}

function parseSide(reader: JsonReader): TransitionSide | undefined {
  if (!reader.present) return undefined;
  const digest = reader.member('digest').optionalString();
  return {
    number: reader.member('number').integer(),
    digest: digest === undefined ? undefined : parseDigest(digest),
    files: reader.member('files').list().map(parseDeployedFile),
    units: reader.member('units').strings(),
    enabled: reader.member('enabled').strings(),
    up: reader.member('up').strings(),
    createdPaths: reader.member('createdPaths').strings(),
  };
}
