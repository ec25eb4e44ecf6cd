import { join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { syncFolder, writeFileAtomically } from '../base/atomic-file.js';
import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { JsonReader } from '../base/json-reader.js';
import { readdir, unlink } from '../base/quick-files.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { findContainer, listContainerNames } from './container-directory.js';
import { parseStateJson } from './deployment.js';

const SET_FORMAT = 1;

/** Largest record of a set that is read: one with 50 members of the longest names has 40 KiB. */
const MAX_SET_BYTES = 1024 * 1024;

/** Most members of a set: all of them are prepared in memory before the first one is stopped. */
export const MAX_SET_MEMBERS = 50;

/**
 * Containers that change versions together: `.sets/NAME.json`. On the command line and in the journal a set is `@NAME`,
 * which no container can be called.
 *
 * Changed with the lock of `@NAME` held.
 */
export interface ContainerSet {
  readonly name: string;
  /** Names of containers; where their dependencies do not say otherwise, started in this order. */
  readonly members: readonly string[];
  /** Which deployment each member had before the last change of the set; empty before the first one. */
  readonly previous: ReadonlyMap<string, number>;
}

/** How the set is called beside containers: names of locks and of entries in the journal. */
export function setLabel(name: string): string {
  return `@${name}`;
}

/** The name of the set that a word on the command line means; undefined where it means a container. */
export function setNameOf(word: string): string | undefined {
  return word.startsWith('@') ? word.slice(1) : undefined;
}

/**
 * The record of a set.
 *
 * @throws {@link OperationalError} SET_NOT_FOUND, CONTAINER_STATE_INVALID, STORE_FORMAT
 */
export async function readSet(paths: HostPaths, name: string): Promise<ContainerSet> {
  const set = await findSet(paths, name);
  if (set !== undefined) return set;
  throw new OperationalError('SET_NOT_FOUND', `there is no set ${quote(name)}`, {
    hint: "see 'berth sets list'",
  });
}

/** The record of a set, or undefined if there is none of that name. */
export async function findSet(paths: HostPaths, name: string): Promise<ContainerSet | undefined> {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}$/.test(name)) return undefined; // typed by somebody: no path
  const file = setFile(paths, name);
  let bytes: Uint8Array;
  try {
    bytes = await readFileBounded(paths.onDisk(file), { maxBytes: MAX_SET_BYTES });
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
  const what = quote(file);
  const reader = new JsonReader(parseStateJson(bytes, what), what);
  const format = reader.member('format').integer();
  if (format > SET_FORMAT) {
    throw new OperationalError(
      'STORE_FORMAT',
      `${what} has format ${format}, this berth reads up to ${SET_FORMAT}`,
      { hint: 'use the newer berth that wrote it' },
    );
  }
  const previous = reader
    .member('previous')
    .list()
    .map((entry) => [entry.member('name').string(), entry.member('number').integer()] as const);
  return { name, members: reader.member('members').strings(), previous: new Map(previous) };
}

/** Writes the record of a set; durable when it returns. */
export async function writeSet(paths: HostPaths, set: ContainerSet): Promise<void> {
  await makeFolders(paths.onDisk(paths.setsDir), 0o700);
  const document = {
    format: SET_FORMAT,
    members: set.members,
    previous: [...set.previous].map(([name, number]) => ({ name, number })),
  };
  const file = paths.onDisk(setFile(paths, set.name));
  await writeFileAtomically(file, `${JSON.stringify(document, null, 2)}\n`, { mode: 0o600 });
}

/** Forgets a set; its containers stay as they are. */
export async function removeSet(paths: HostPaths, name: string): Promise<void> {
  await unlink(paths.onDisk(setFile(paths, name)));
  await syncFolder(paths.onDisk(paths.setsDir));
}

/** Names of all sets, sorted. */
export async function listSetNames(paths: HostPaths): Promise<readonly string[]> {
  try {
    const entries = await readdir(paths.onDisk(paths.setsDir));
    return entries
      .filter((entry) => entry.endsWith('.json') && !entry.startsWith('.'))
      .map((entry) => entry.slice(0, -'.json'.length))
      .sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function setFile(paths: HostPaths, name: string): string {
  return join(paths.setsDir, `${name}.json`);
}

/** What updating everything means. */
export interface UpdateTargets {
  /** The sets, and the containers that belong to none. */
  readonly targets: readonly string[];
  /** Sets whose members nobody knows: their record cannot be read. No container counts as one that belongs to none then. */
  readonly unreadable: readonly string[];
}

/** Finds what is to be updated where everything is. */
export async function listUpdateTargets(paths: HostPaths): Promise<UpdateTargets> {
  const targets: string[] = [];
  const unreadable: string[] = [];
  const members = new Set<string>();
  for (const name of await listSetNames(paths)) {
    targets.push(setLabel(name));
    try {
      for (const member of (await readSet(paths, name)).members) members.add(member);
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      // One that was deleted meanwhile has no members any more.
      if (error.code !== 'SET_NOT_FOUND') unreadable.push(name);
    }
  }
  if (unreadable.length > 0) return { targets, unreadable };
  const containers = await listContainerNames(paths);
  return {
    targets: [...targets, ...containers.filter((name) => !members.has(name))],
    unreadable,
  };
}

/** Whether what {@link listUpdateTargets} gave is not there any more. */
export async function isTargetGone(paths: HostPaths, target: string): Promise<boolean> {
  const set = setNameOf(target);
  const found = set === undefined ? await findContainer(paths, target) : await findSet(paths, set);
  return found === undefined;
}
