import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { syncFolder, writeFileAtomically, writeFileSynced } from '../base/atomic-file.js';
import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { JsonReader } from '../base/json-reader.js';
import { mkdir, readdir, rename, unlink } from '../base/quick-files.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { listDeploymentNumbers } from './container-directory.js';
import {
  MAX_DEPLOYMENT_BYTES,
  parseDeployedFile,
  parseStateJson,
  type DeployedFile,
} from './deployment.js';
import { compareFile } from './file-state.js';
import type { Host } from './host.js';
import { removePath } from './remove-path.js';
import { removeTemporaries } from './remove-temporaries.js';

/*
 * A change of several files of one deployment, as one. Everything new is written into `.journal/NAME.apply.new` and made
 * durable; renaming that to `.journal/NAME.apply` is the commit point. From there on the files are put into their places,
 * each atomically, and the folder goes. Whoever holds the lock of NAME and finds the folder does the rest once more: every
 * step may have been done. The folder lies in the journal, so that `berth recover` runs at boot while there is one.
 */

const STAGING_FORMAT = 1;
const STAGING_RECORD = 'apply.json';

/** Largest file that is staged: a launch plan with 1,000 mounts has 200 KiB. */
const MAX_STAGED_BYTES = 16 * 1024 * 1024;

/** What {@link stageApply} takes. */
export interface ApplyChange {
  readonly name: string;
  /** The N of `NAME.N`. */
  readonly number: number;
  /** New files of the deployment, by their names there. */
  readonly contents: ReadonlyMap<string, string | Uint8Array>;
  /** Files of the host that change with it. */
  readonly files: readonly AppliedFile[];
}

/** A file of the host before and after. */
export interface AppliedFile {
  /** SHA-256 of what berth put there last; `''` where nothing stood. */
  readonly previousSha256: string;
  readonly file: DeployedFile;
}

/** Writes a change down whole. When it returns, it will happen. Call with the lock of the name held. */
export async function stageApply(paths: HostPaths, change: ApplyChange): Promise<void> {
  const journal = paths.onDisk(paths.journalDir);
  const building = join(journal, `${change.name}.apply.new`);
  await makeFolders(journal, 0o700);
  removePath(building);
  try {
    await buildStaged(building, change);
    await rename(building, join(journal, `${change.name}.apply`));
  } catch (error) {
    removePath(building);
    throw error;
  }
  await syncFolder(journal);
}

async function buildStaged(building: string, change: ApplyChange): Promise<void> {
  const { name, number, files, contents } = change;
  await mkdir(building, { mode: 0o700 });
  for (const [file, content] of contents)
    await writeFileSynced(join(building, file), content, { mode: 0o600 });
  const record = { format: STAGING_FORMAT, name, number, names: [...contents.keys()], files };
  const text = `${JSON.stringify(record, null, 2)}\n`;
  await writeFileSynced(join(building, STAGING_RECORD), text, { mode: 0o600 });
  await syncFolder(building);
}

/** Names of the containers with a staged change, or the beginning of one: work for `berth recover`. */
export async function listStaged(paths: HostPaths): Promise<readonly string[]> {
  try {
    const entries = await readdir(paths.onDisk(paths.journalDir));
    const names = entries.map((entry) => /^([^.].*)\.apply(?:\.new)?$/.exec(entry)?.[1]);
    return [...new Set(names.filter((name) => name !== undefined))].sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** What {@link finishApply} did. */
export interface FinishedApply {
  /** Files of the host that an administrator changed: left as they are. */
  readonly kept: readonly string[];
}

/**
 * Puts a staged change into place, if there is one; removes the beginning of one. Call with the lock of the name held.
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID, STORE_FORMAT
 */
export async function finishApply(host: Host, name: string): Promise<FinishedApply | undefined> {
  const { paths } = host;
  const folder = join(paths.onDisk(paths.journalDir), `${name}.apply`);
  removePath(`${folder}.new`);
  if (!existsSync(folder)) return undefined;
  const change = await readStaged(folder, name);
  const kept: string[] = [];
  // Without its record, it was done and is being taken away.
  if (change !== undefined && (await isThere(paths, change))) {
    const place = paths.onDisk(join(paths.stateDir, `${name}.${change.number}`));
    // A command that was killed at this may have left the beginning of any.
    await removeTemporaries([
      ...change.names.map((file) => join(place, file)),
      ...change.files.map(({ file }) => paths.onDisk(file.path)),
    ]);
    // The record last: it speaks of the others.
    for (const file of [...change.names].sort(recordLast))
      await copy(join(folder, file), join(place, file), 0o600);
    kept.push(...(await applyToHost(host, { folder, change })));
  }
  await unlink(join(folder, STAGING_RECORD)).catch(() => undefined); // gone if this was interrupted
  await syncFolder(folder);
  removePath(folder);
  await syncFolder(paths.onDisk(paths.journalDir));
  return { kept };
}

function recordLast(a: string, b: string): number {
  return Number(a === 'deployment.json') - Number(b === 'deployment.json');
}

async function applyToHost(
  host: Host,
  from: { readonly folder: string; readonly change: StagedChange },
): Promise<readonly string[]> {
  const kept: string[] = [];
  const units = await host.openUnitManager();
  for (const { file, previousSha256 } of from.change.files) {
    const target = host.paths.onDisk(file.path);
    const state = await compareFile(target, file);
    if (state === 'changed') {
      const before = await compareFile(target, { kind: 'file', sha256: previousSha256 });
      if (before !== 'same') {
        kept.push(file.path);
        continue;
      }
    }
    if (state !== 'same') {
      await makeFolders(join(target, '..'), 0o755);
      await copy(join(from.folder, file.source), target, file.mode);
    }
    if (file.role === 'tmpfiles') await units.createTmpfiles(file.path);
  }
  if (from.change.files.length > 0 && units.kind === 'dbus') await units.reload();
  return kept;
}

async function copy(from: string, to: string, mode: number): Promise<void> {
  const content = await readFileBounded(from, { maxBytes: MAX_STAGED_BYTES });
  await writeFileAtomically(to, content, { mode });
}

async function isThere(paths: HostPaths, change: StagedChange): Promise<boolean> {
  return (await listDeploymentNumbers(paths, change.name)).includes(change.number);
}

interface StagedChange {
  readonly name: string;
  readonly number: number;
  readonly names: readonly string[];
  readonly files: readonly AppliedFile[];
}

async function readStaged(folder: string, name: string): Promise<StagedChange | undefined> {
  const path = join(folder, STAGING_RECORD);
  let bytes: Uint8Array;
  try {
    bytes = await readFileBounded(path, { maxBytes: MAX_DEPLOYMENT_BYTES });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  return parseStagedApply(bytes, quote(path), name);
}

/**
 * Parses the record of a staged change.
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID if it is damaged, STORE_FORMAT if a newer berth wrote it
 */
export function parseStagedApply(bytes: Uint8Array, what: string, name: string): StagedChange {
  const reader = new JsonReader(parseStateJson(bytes, what), what);
  const format = reader.member('format').integer();
  if (format > STAGING_FORMAT) {
    throw new OperationalError(
      'STORE_FORMAT',
      `${what} has format ${format}, this berth reads up to ${STAGING_FORMAT}`,
      { hint: 'use the newer berth that wrote it' },
    );
  }
  const change = {
    name: reader.member('name').string(),
    number: reader.member('number').integer(),
    names: reader.member('names').strings(),
    files: reader
      .member('files')
      .list()
      .map((file) => ({
        previousSha256: file.member('previousSha256').string(),
        file: parseDeployedFile(file.member('file')),
      })),
  };
  // It names files that are written: a damaged record must not name others than those of its own container.
  const isPlain = (file: string): boolean => /^[A-Za-z0-9_][A-Za-z0-9_.@-]*$/.test(file);
  const isSound =
    change.name === name &&
    change.names.every(isPlain) &&
    change.files.every(({ file }) => file.kind === 'file' && change.names.includes(file.source));
  if (!isSound) {
    throw new OperationalError('CONTAINER_STATE_INVALID', `${what} is damaged: it names others`);
  }
  return change;
}
