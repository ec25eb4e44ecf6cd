import { existsSync, readFileSync, rmdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { writeFileAtomically } from '../base/atomic-file.js';
import { quote } from '../base/escape-text.js';
import { mkdir, readdir } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { acquireLock, type LockFile } from '../sys/lock-file.js';
import { unmountAll } from '../sys/unmount.js';
import type { CgroupPlace } from '../runtime/cgroups/cgroup.js';
import { cgroupOf } from './container-cgroup.js';
import { isAlive, type ProcessIdentity } from './container-process.js';
import type { Hooks } from './hooks.js';
import { isAwaited } from './start-pipe.js';

/**
 * What is known of a container, below `--root` in a folder of its id:
 *
 * ```
 * state.json    this record, replaced by rename at every step
 * config.json   as it was when the container was created: what is changed later has no effect
 * root          where the root is mounted, for a container without a mount namespace
 * start         the pipe at which the container's process waits: see start-pipe.ts; gone once it is started
 * lock          held by whoever changes the container
 * ```
 * The record is written before anything that it tells of is made, so whatever a killed runtime left can be taken away.
 */
export interface ContainerRecord extends ProcessIdentity {
  /** Format of this file. */
  readonly format: 1;
  readonly id: string;
  readonly ociVersion: string;
  readonly bundle: string;
  readonly rootfs: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly created: string;
  /** Whether everything up to the start has been done. */
  readonly isCreated: boolean;
  /** Where its control group is, or is to be. */
  readonly cgroup: CgroupPlace;
  /** Whether the control group was made. Until then another container may be in that place, and nothing there is ours. */
  readonly hasCgroup: boolean;
  readonly hooks: Hooks;
  /** Whether the root was entered without pivot_root. */
  readonly noPivot: boolean;
}

/** The statuses of runtime-spec runtime.md, "State", and `paused`. */
export type ContainerStatus = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

/** Ids: a file name, and what runc takes. */
const ID = /^[\w+.-]+$/;
const MAX_ID_CHARACTERS = 200;

/** One container's folder. Made by {@link openContainer} for ids that pass. */
export class ContainerStore {
  readonly id: string;
  readonly path: string;

  constructor(root: string, id: string) {
    if (!ID.test(id) || id === '.' || id === '..' || id.length > MAX_ID_CHARACTERS) {
      throw new OperationalError('NAME_INVALID', `invalid container ID format: ${quote(id)}`);
    }
    this.id = id;
    this.path = join(root, id);
  }

  /** The pipe that the container's process waits at. */
  get startPipe(): string {
    return join(this.path, 'start');
  }

  async #lock(): Promise<LockFile> {
    if (!existsSync(this.path)) notFound(this.id);
    try {
      return await acquireLock(this.file('lock'), { mode: 'exclusive' });
    } catch (error) {
      if (isErrno(error, 'ENOENT')) notFound(this.id);
      throw error;
    }
  }

  /** A file of the folder. */
  file(name: string): string {
    return join(this.path, name);
  }

  /**
   * Makes the folder for a new container.
   *
   * @throws {@link OperationalError} CONTAINER_EXISTS
   */
  async make(): Promise<void> {
    await mkdir(join(this.path, '..'), { recursive: true, mode: 0o711 });
    try {
      await mkdir(this.path, { mode: 0o711 });
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      throw new OperationalError(
        'CONTAINER_EXISTS',
        `container with given ID already exists: ${quote(this.id)}`,
      );
    }
  }

  /**
   * Does something while nobody else changes the container.
   *
   * @throws {@link OperationalError} CONTAINER_NOT_FOUND
   */
  async exclusively<T>(body: () => Promise<T>): Promise<T> {
    const lock = await this.#lock();
    try {
      return await body();
    } finally {
      lock.release();
    }
  }

  /** Replaces the record; whoever reads sees the old one or the new one. */
  async write(record: ContainerRecord): Promise<void> {
    await writeFileAtomically(this.file('state.json'), JSON.stringify(record), { mode: 0o600 });
  }

  /** @throws {@link OperationalError} CONTAINER_NOT_FOUND */
  read(): ContainerRecord {
    return this.find() ?? notFound(this.id);
  }

  /** The record; undefined if there is no such container, or one that was not yet described. */
  find(): ContainerRecord | undefined {
    let problem: unknown;
    try {
      const record = JSON.parse(readFileSync(this.file('state.json'), 'utf8')) as ContainerRecord;
      if ((record as { format?: unknown }).format === 1) return record;
      problem = new Error('it is of another format');
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      problem = error;
    }
    throw new OperationalError(
      'CONTAINER_STATE_INVALID',
      `the state of container ${quote(this.id)} cannot be read`,
      { cause: problem },
    );
  }

  /** Where the container is in its life. */
  status(record: ContainerRecord): ContainerStatus {
    if (record.pid === 0) return record.isCreated ? 'stopped' : 'creating';
    if (!isAlive(record)) return 'stopped';
    if (!record.isCreated) return 'creating';
    if (isAwaited(this.startPipe)) return 'created';
    return cgroupOf(record).isFrozen() ? 'paused' : 'running';
  }

  /** Where the root of a container without a mount namespace is mounted. */
  get hostPlace(): string {
    return join(this.path, 'root');
  }

  /** Takes the folder away; nothing is known of the container afterwards. */
  async remove(): Promise<void> {
    // What is mounted there is somebody's image: if it stayed, its files would be taken away with the folder.
    if (existsSync(this.hostPlace)) {
      unmountAll(this.hostPlace);
      rmdirSync(this.hostPlace);
    }
    await rm(this.path, { recursive: true, force: true });
  }
}

/** The ids of all containers below a root. */
export async function listContainerIds(root: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(root, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && ID.test(entry.name))
      .map(({ name }) => name);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function notFound(id: string): never {
  throw new OperationalError('CONTAINER_NOT_FOUND', `container ${quote(id)} does not exist`);
}
