import type { Stats } from 'node:fs';
import { dirname, join } from 'node:path/posix';

import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { formatExactJson } from '../base/format-exact-json.js';
import { stat } from '../base/quick-files.js';
import { parseExactJson, type ExactJson, type ExactJsonObject } from '../base/strict-json.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Deployment } from './deployment.js';
import { sha256Of } from './file-state.js';
import { assertInsideTree } from './inside-tree.js';
import { findOpenWay } from './open-way.js';

/*
 * An administrator's own changes of a container's config.json: a merge patch (RFC 7396) that is laid over what the image brings
 * whenever a deployment is prepared. What a deployment was made with stays with it.
 */

/** What is to be changed in the config.json of a container. */
export interface ConfigChanges {
  /** As the host has it. */
  readonly path: string;
  readonly sha256: string;
  readonly patch: ExactJsonObject;
}

/** Largest file of changes; a config.json is typed by nobody. */
const MAX_CHANGES_BYTES = 256 * 1024;

/** Where the changes of a container are: beside berth.conf. */
export function configChangesFile({ confFile }: HostPaths, name: string): string {
  return join(dirname(confFile), 'config.d', `${name}.json`);
}

/**
 * Reads the changes of a container; undefined where there are none.
 *
 * @throws {@link OperationalError} JSON_INVALID, CONFIG_INVALID naming the file, also where others could write it; LIMIT_EXCEEDED;
 * HOST_PATH_REFUSED
 */
export async function loadConfigChanges(
  paths: HostPaths,
  name: string,
): Promise<ConfigChanges | undefined> {
  const path = configChangesFile(paths, name);
  await assertInsideTree(paths, path);
  let bytes: Buffer;
  try {
    const file = paths.onDisk(path);
    bytes = await readFileBounded(file, {
      maxBytes: MAX_CHANGES_BYTES,
      check: (stats) => {
        assertOwn(paths, path, stats);
      },
    });
    // Who may write there puts another file in its place, or another folder, or has a link lead elsewhere.
    assertOwn(paths, dirname(path), await stat(dirname(file)));
    assertOwnWay(paths, path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    if (error instanceof OperationalError) throw error;
    throw new OperationalError('CONFIG_INVALID', `cannot read ${quote(path)}`, { cause: error });
  }
  const patch = parseExactJson(bytes, { what: quote(path), maxDepth: 32 });
  if (!isObject(patch))
    throw new OperationalError('CONFIG_INVALID', `${quote(path)} is not an object`);
  return { path, sha256: sha256Of(bytes), patch };
}

/** What decides over a service of root is root's alone, and what decides over a user's is the user's: as sudo and ssh have it. */
function assertOwn({ mode }: HostPaths, path: string, stats: Stats): void {
  const owners = mode === 'user' ? [0, process.geteuid?.() ?? 0] : [0];
  if (owners.includes(stats.uid) && (stats.mode & 0o022) === 0) return;
  const permissions = (stats.mode & 0o7777).toString(8).padStart(4, '0');
  throw new OperationalError(
    'CONFIG_INVALID',
    `${quote(path)} can be written by others than ${mode === 'user' ? 'you' : 'root'} (owner ${stats.uid}, mode ${permissions}), refusing to go by it`,
    {
      hint: owners.includes(stats.uid)
        ? `'chmod go-w ${path}'`
        : `look at what it says, then 'chown ${mode === 'user' ? '"$USER"' : 'root'} ${path}' and 'chmod go-w ${path}'`,
    },
  );
}

function assertOwnWay({ mode, root }: HostPaths, path: string): void {
  const own = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  const user = mode === 'user' ? own : { uid: 0, gid: 0 };
  const found = findOpenWay(path, { user, root });
  if (found === undefined) return;
  const others = mode === 'user' ? 'you' : 'root';
  throw new OperationalError(
    'CONFIG_INVALID',
    `${quote(path)} can be replaced by others than ${others}: ${found.why}, refusing to go by it`,
    { hint: found.hint },
  );
}

/** How the changes of a container are to those that its deployment was made with. */
export interface ChangesState {
  readonly path: string;
  /** Whether its config.json was made with them as they are. */
  readonly upToDate: boolean;
  /** Why they cannot be read. */
  readonly problem?: string;
}

/** What there is to say of the changes of an installed container; undefined where it has none, and was made with none. */
export async function findChangesState(
  paths: HostPaths,
  { name, units, configChanges }: Pick<Deployment, 'name' | 'units' | 'configChanges'>,
): Promise<ChangesState | undefined> {
  // Without a service there is no config.json.
  if (units.length === 0) return undefined;
  const path = configChangesFile(paths, name);
  try {
    const sha256 = (await loadConfigChanges(paths, name))?.sha256;
    if (sha256 === undefined && configChanges === undefined) return undefined;
    return { path, upToDate: sha256 === configChanges };
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    return { path, upToDate: false, problem: error.message };
  }
}

/** A config.json with changes laid over it (RFC 7396): members with `null` go, objects are merged, all else takes the place. */
export function withConfigChanges(config: string, changes: ConfigChanges | undefined): string {
  if (changes === undefined) return config;
  const document = parseExactJson(config, { what: 'config.json' });
  return formatExactJson(merge(document, changes.patch));
}

/** Whether changes say something of the filter of system calls. */
export function changesFilter(changes: ConfigChanges | undefined): boolean {
  const linux = changes?.patch['linux'];
  return linux !== undefined && (!isObject(linux) || linux['seccomp'] !== undefined);
}

/** Which members changes are about, without their values: these may be secrets. */
export function changedMembers({ patch }: ConfigChanges): readonly string[] {
  return Object.entries(patch).flatMap(([key, value]) =>
    isObject(value ?? null)
      ? Object.keys(value as ExactJsonObject).map((below) => `${key}.${below}`)
      : [key],
  );
}

function merge(target: ExactJson | undefined, patch: ExactJson): ExactJson {
  if (!isObject(patch)) return patch;
  const merged = new Map<string, ExactJson>();
  if (target !== undefined && isObject(target))
    for (const [key, value] of Object.entries(target)) merged.set(key, value ?? null);
  for (const [key, value = null] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, merge(merged.get(key), value));
  }
  // Without a prototype: a member named `__proto__` is one like any other.
  const result = Object.create(null) as Record<string, ExactJson>;
  for (const [key, value] of merged) result[key] = value;
  return result;
}

function isObject(value: ExactJson): value is ExactJsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
