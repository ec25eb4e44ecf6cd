import { dirname, normalize } from 'node:path/posix';

import { parseContainerName, type ContainerName } from '../base/container-name.js';
import { quote } from '../base/escape-text.js';
import { realpath, stat } from '../base/quick-files.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { OwnPlaces } from '../systemd/tmpfiles-places.js';
import { listAssignments, type UnitDocument } from '../systemd/unit-text.js';
import type { Values } from '../templates/values.js';
import { resolveSpecifiers } from './activator-places.js';
import type { Host } from './host.js';
import { covers, findGuard, type HostPathPolicy } from './host-path-policy.js';
import { assertInsideTree } from './inside-tree.js';
import { inTree } from './led-elsewhere.js';
import { hostPathPolicy, usersOwnPaths } from './users-places.js';

/** A unit whose files are checked, and what is known of its container. */
export interface UnitReadsRequest {
  readonly name: ContainerName;
  readonly unit: string;
  readonly document: UnitDocument;
  readonly values: Values;
  readonly allowHostPaths: readonly string[];
}

/**
 * Checks the files of the host that systemd reads, as root, for a unit: variables (`EnvironmentFile=`) and credentials
 * (`LoadCredential=`, `LoadCredentialEncrypted=`, `ImportCredential=`). A unit may have what has the container's own name, what
 * everybody may read, and what the administrator allows; variables, too, from a file that somebody may yet make outside of
 * guarded places. What the container could put there is another matter, see `assertTakesNothingLent`. What the unit has in its own
 * text (`SetCredential=`, `SetCredentialEncrypted=`) is read nowhere.
 *
 * @throws {@link OperationalError} HOST_PATH_REFUSED; UNIT_INVALID where nobody can tell which path is meant
 */
export async function assertUnitReads(host: Host, request: UnitReadsRequest): Promise<void> {
  const { name, unit, document, allowHostPaths } = request;
  const policy = hostPathPolicy(host.paths, {
    name,
    allowed: [...allowHostPaths, ...usersOwnPaths(host.paths, name)],
  });
  for (const read of readsOf(document)) {
    const resolved = resolveSpecifiers(host.paths, { unit, written: read.written });
    // To systemd a line without effect.
    if (!resolved.startsWith('/')) continue;
    const path = resolved.split('/').includes('..') ? resolved : normalize(resolved);
    if (policy.allowed.some((folder) => covers(folder, path))) continue;
    const why = await whyRefused(host.paths, { ...read, path, policy, request });
    if (why === undefined) continue;
    throw new OperationalError(
      'HOST_PATH_REFUSED',
      `${unit} would have ${quote(path)} read by systemd for it (${read.key}=), refusing: ${why}`,
      { hint: `allow it with '--allow-host-path ${path}'` },
    );
  }
}

interface Read {
  readonly key: string;
  readonly written: string;
  /** Of a credential that systemd knows by its name: of the host's own, or of those in its folders. */
  readonly isNamed: boolean;
}

function readsOf(document: UnitDocument): readonly Read[] {
  return listAssignments(document).flatMap(({ key, value }): readonly Read[] => {
    if (value === '') return [];
    if (key === 'EnvironmentFile')
      return [{ key, written: value.replace(/^-/, ''), isNamed: false }];
    // NAME:PATH, NAME:NAME-THERE or NAME; PATTERN or PATTERN:NAME
    const [first = '', rest = ''] = value.split(/:(.*)/s);
    if (key === 'ImportCredential') return [named(key, first)];
    if (!/^LoadCredential(?:Encrypted)?$/.test(key)) return [];
    const source = rest === '' ? first : rest;
    return [/^[/%]/.test(source) ? { key, written: source, isNamed: false } : named(key, source)];
  });
}

function named(key: string, name: string): Read {
  return { key, written: `%E/credstore/${name}`, isNamed: true };
}

interface ReadPath extends Read {
  readonly path: string;
  readonly policy: HostPathPolicy;
  readonly request: UnitReadsRequest;
}

/** Why systemd may not read a file for a unit; undefined where it may. */
async function whyRefused(paths: HostPaths, read: ReadPath): Promise<string | undefined> {
  const { key, path, isNamed, policy, request } = read;
  if (path.split('/').includes('..')) return "it has '..' in it";
  await assertInsideTree(paths, path);
  if (isInOwnImage(path, request)) return 'its image could have a link there, or a FIFO';
  const place = await realpathOf(paths, path);
  if (!isNamed && place !== undefined && (await isForEverybody(paths, place))) return undefined;
  const notReadable = 'is no file that everybody may read';
  const isOwn = isOwnPath(path, request);
  if (isNamed && isOwn) return undefined;
  // Where a link leads, too: a version of before may have put it there.
  const led = place === undefined ? undefined : inTree(paths, place);
  const guard = findGuard(path, policy) ?? findGuard(led ?? path, policy);
  if (guard !== undefined) return `it ${notReadable}, and ${guard.path} ${guard.why}`;
  if (isOwn || (key === 'EnvironmentFile' && place === undefined && !hasPattern(path)))
    return undefined;
  return `it has not the container's name, and ${notReadable}`;
}

/** What has the name of the container in it, or of what it is a template for; of a pattern, before any wildcard. */
function isOwnPath(path: string, { name, values }: UnitReadsRequest): boolean {
  const names = new Set([name, parseContainerName(name.replace(/@$/, ''))]);
  // A letter more: `web*` is also what `webmail` has.
  const fixed = hasPattern(path) ? path.replace(/[*?[].*$/s, 'x') : path;
  return [...names].some((own) => new OwnPlaces(own, values).has(fixed));
}

function hasPattern(path: string): boolean {
  return /[*?[]/.test(path);
}

/** What the image brings, or will bring at the next update. */
function isInOwnImage(path: string, { values }: UnitReadsRequest): boolean {
  const destdir = values.get('DESTDIR')?.text;
  return destdir !== undefined && path.startsWith(`${destdir}/rootfs/`);
}

/** Where a file is on the disk, links followed; undefined where there is none. */
async function realpathOf(paths: HostPaths, path: string): Promise<string | undefined> {
  try {
    return await realpath(paths.onDisk(path));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES')) return undefined;
    throw error;
  }
}

/** A regular file that is open to all, in folders that are, too. */
async function isForEverybody(paths: HostPaths, place: string): Promise<boolean> {
  const file = await stat(place);
  if (!file.isFile() || (file.mode & 0o004) === 0) return false;
  const root = await realpath(paths.onDisk('/'));
  for (let folder = dirname(place); folder !== root; folder = dirname(folder))
    if (((await stat(folder)).mode & 0o001) === 0) return false;
  return true;
}
