import { readlinkSync, statSync, type Stats } from 'node:fs';
import { join } from 'node:path';

import { readFileBoundedNow } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { MAX_DEPLOYMENT_BYTES, parseDeployment, type Deployment } from './deployment.js';

/*
 * Links and records of the state directory, read at once: a command looks at those of a thousand containers several times, and
 * each is a few kilobytes on the local disk.
 */

/** Looks at a container that changes all the time: each change takes a hundred times as long as a look. */
const MAX_LOOKS = 8;

/**
 * Which file a record was read from. Another one has another number or size, and what changes a file in place changes its ctime,
 * too. Of the four, a file system may give one twice, not all at once.
 */
export type RecordIdentity = Pick<Stats, 'dev' | 'ino' | 'size' | 'ctimeMs'>;

/** A record that was read. */
export interface KnownRecord {
  /** Of the file that it was read from, as {@link recordIdentity} gives it. */
  readonly identity: RecordIdentity | undefined;
  readonly deployment: Deployment;
}

/** Records that were read, by their file. They are never changed, but may come and go: the file tells which one it is. */
const known = new Map<string, KnownRecord>();

/** The current deployment of a container, or undefined if there is no container of that name. */
export function readContainer(paths: HostPaths, name: string): Deployment | undefined {
  return readCurrent(paths, name)?.deployment;
}

/** What {@link readContainer} gives, with what tells whether that is still so. */
export function readCurrent(paths: HostPaths, name: string): KnownRecord | undefined {
  let seen: string | undefined;
  for (let tries = 1; ; tries++) {
    const target = readNameLinkNow(paths, name);
    if (target === undefined) return undefined;
    try {
      return readKnown(paths, target);
    } catch (error) {
      // The link may have been read just before a command took away what it led to. It was if the link leads elsewhere
      // now, or to a newer deployment of that number; else the next look finds the same damage.
      if ((target === seen && tries > 2) || tries === MAX_LOOKS) throw error;
      seen = target;
    }
  }
}

/** The name (`NAME.N`) that the link of a container points to; undefined where there is none. */
export function readNameLinkNow(paths: HostPaths, name: string): string | undefined {
  const link = join(paths.stateDir, name);
  let target: string;
  try {
    target = readlinkSync(paths.onDisk(link));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    if (!isErrno(error, 'EINVAL')) throw readingFailed(paths, error);
    // A folder in the place of the link was not made by berth: never followed, never removed.
    throw new OperationalError(
      'CONTAINER_STATE_INVALID',
      `${quote(link)} is not a link that berth made`,
      { hint: 'move it away' },
    );
  }
  if (deploymentNumber(name, target) === undefined) {
    throw new OperationalError(
      'CONTAINER_STATE_INVALID',
      `${quote(link)} points to ${quote(target)}, expected '${name}.' and a number`,
      { hint: 'remove the link, then install again' },
    );
  }
  return target;
}

/**
 * The record of one deployment directory (`NAME.N`).
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID if it is not complete
 */
export function readRecord(paths: HostPaths, directory: string): Deployment {
  return readKnown(paths, directory).deployment;
}

/** Whether a deployment that was read is still on disk; one that was made in its place since is another. */
export function isStillThere(paths: HostPaths, deployment: Deployment): boolean {
  try {
    return readRecord(paths, `${deployment.name}.${deployment.number}`) === deployment;
  } catch {
    return false; // it is gone, or going
  }
}

/**
 * Changes when the current deployment of a container is another one, and with whatever happens to its record; undefined where
 * there is none.
 */
export function recordIdentity(paths: HostPaths, name: string): RecordIdentity | undefined {
  try {
    return identityOf(paths.onDisk(`${paths.stateDir}/${name}/deployment.json`));
  } catch {
    return undefined; // No way leads there; reading it says which.
  }
}

function readKnown(paths: HostPaths, directory: string): KnownRecord {
  const file = join(paths.stateDir, directory, 'deployment.json');
  const onDisk = paths.onDisk(file);
  try {
    const identity = identityOf(onDisk);
    const before = known.get(onDisk);
    if (before !== undefined && isSameRecord(before.identity, identity)) return before;
    const bytes = readFileBoundedNow(onDisk, { maxBytes: MAX_DEPLOYMENT_BYTES });
    const deployment = parseDeployment(bytes, quote(file));
    const record = { identity, deployment };
    known.set(onDisk, record);
    return record;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) {
      throw new OperationalError('CONTAINER_STATE_INVALID', `${quote(file)} is missing`, {
        cause: error,
      });
    }
    throw error instanceof OperationalError ? error : readingFailed(paths, error);
  }
}

/** The number in the name of a deployment directory; undefined where it is none of that container. */
export function deploymentNumber(name: string, directory: string): number | undefined {
  const number = directory.startsWith(`${name}.`) ? directory.slice(name.length + 1) : '';
  return /^\d{1,9}$/.test(number) ? Number(number) : undefined;
}

/** What it means that the state directory cannot be read. */
export function readingFailed(paths: HostPaths, cause: unknown): OperationalError {
  return isErrno(cause, 'EACCES')
    ? new OperationalError(
        'NEEDS_ROOT',
        `cannot read ${quote(paths.stateDir)}: permission denied`,
        {
          hint: 'run berth as root',
          cause,
        },
      )
    : new OperationalError('SYSTEM_CALL_FAILED', `cannot read ${quote(paths.stateDir)}`, { cause });
}

/** Whether both are of one file, and nothing has happened to it between. */
export function isSameRecord(
  a: RecordIdentity | undefined,
  b: RecordIdentity | undefined,
): boolean {
  if (a === undefined || b === undefined) return false;
  return a.ino === b.ino && a.ctimeMs === b.ctimeMs && a.size === b.size && a.dev === b.dev;
}

/** Taken before the file is read, so that what came between is seen the next time. */
function identityOf(path: string): RecordIdentity | undefined {
  return statSync(path, { throwIfNoEntry: false });
}
