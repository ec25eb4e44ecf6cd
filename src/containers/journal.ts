import { existsSync, statSync } from 'node:fs';
import { mkdir, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';

import { finalNameOf, syncFolder, writeFileAtomically } from '../base/atomic-file.js';
import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { JsonReader } from '../base/json-reader.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { syncFileSystemOf } from '../sys/sync.js';
import {
  MAX_DEPLOYMENT_BYTES,
  parseDeployedFile,
  parseStateJson,
  type DeployedFile,
  type Deployment,
} from './deployment.js';

const JOURNAL_FORMAT = 1;

/** The verbs that change the host; what is under way is written down before its first change. */
export const JOURNAL_OPERATIONS = ['install', 'undo', 'uninstall'] as const;

/** One of {@link JOURNAL_OPERATIONS}. */
export type JournalOperation = (typeof JOURNAL_OPERATIONS)[number];

/**
 * A change under way: `.journal/NAME.json`, there from before the first change on the host until after the last. Whoever
 * holds the lock of NAME and finds it knows that the holder before died, and finishes or undoes the change: before the
 * NAME link points to the deployment, an install is undone; after it, finished. One that had failed, and was being taken
 * back (`undo`), is taken back. An uninstall is always finished.
 */
export interface JournalEntry {
  readonly operation: JournalOperation;
  readonly name: string;
  /** The deployment that is being put in place, or taken away. */
  readonly number: number;
  readonly files: readonly DeployedFile[];
  readonly units: readonly string[];
  /** See {@link Deployment.createdPaths}. */
  readonly createdPaths: readonly string[];
  /** Uninstall: whether the folders of the container's state go too, with what is in them. */
  readonly purge: boolean;
}

/** The entry for a deployment that is being put in place or taken away. */
export function journalEntryFor(
  operation: JournalOperation,
  deployment: Deployment,
  options: { readonly purge: boolean } = { purge: false },
): JournalEntry {
  const { name, number, files, units, createdPaths } = deployment;
  return { operation, name, number, files, units, createdPaths, purge: options.purge };
}

/** Where the entry of a container is. */
export function journalFile(paths: HostPaths, name: string): string {
  return join(paths.journalDir, `${name}.json`);
}

/** Whether systemd has to read its files again: also where the unit is not to be enabled. */
export function bringsUnits(entry: JournalEntry): boolean {
  return entry.files.some(({ role }) => role === 'unit' || role === 'drop-in');
}

/** Writes the entry; when it returns, a power cut keeps it. */
export async function beginJournal(paths: HostPaths, entry: JournalEntry): Promise<void> {
  const folder = paths.onDisk(paths.journalDir);
  await mkdir(folder, { recursive: true, mode: 0o700 });
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
    const bytes = await readFileBounded(paths.onDisk(file), { maxBytes: MAX_DEPLOYMENT_BYTES });
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
      `${what} has format ${format}, this berth reads up to 1`,
    );
  }
  const operation = JOURNAL_OPERATIONS.find(
    (known) => known === reader.member('operation').string(),
  );
  if (operation === undefined) {
    throw new OperationalError('CONTAINER_STATE_INVALID', `${what} is damaged: unknown operation`);
  }
  return {
    operation,
    name: reader.member('name').string(),
    number: reader.member('number').integer(),
    files: reader.member('files').list().map(parseDeployedFile),
    units: reader.member('units').strings(),
    createdPaths: reader.member('createdPaths').strings(),
    purge: reader.member('purge').boolean(),
  };
}
