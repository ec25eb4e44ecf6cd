import { chownSync, closeSync, constants, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { quote } from '../../base/escape-text.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { DeviceRule, RuntimeResources } from '../../oci/runtime-config.js';
import { attachDeviceProgram } from '../../sys/bpf.js';
import type { Cgroup, CgroupPlace, CgroupStats } from './cgroup.js';
import {
  cgroupTree,
  processesOf,
  readValue,
  removeCgroups,
  writeControlFiles,
  writeValue,
} from './cgroup-files.js';
import { controlFilesV2 } from './control-files-v2.js';
import { assembleDeviceProgram } from './device-program.js';
import { effectiveDeviceRules } from './device-rules.js';
import { cgroupsOfProcess, findCgroupHierarchy } from './hierarchy.js';
import { killAll } from './kill-all.js';
import { removeDefaultParents } from './make-directories.js';
import type { ScopeOwner } from './scope-owner.js';
import { readUnifiedStats } from './unified-stats.js';
import { waitUntil } from './wait-until.js';

const SIGKILL = 9;

/** What a cgroup may be handed over with where the kernel has no list (cgroups(7), config-linux.md). */
const DELEGATED_FILES = ['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'];

/** A cgroup of version 2: one directory. */
export class UnifiedCgroup implements Cgroup {
  readonly place: CgroupPlace;
  readonly #directory: string;
  readonly #scope: ScopeOwner | undefined;

  constructor(place: CgroupPlace, scope?: ScopeOwner) {
    this.place = place;
    this.#directory = place.directories['unified'] ?? '';
    this.#scope = scope;
  }

  join(pid: number, beside?: number): void {
    try {
      writeValue(join(this.#directory, 'cgroup.procs'), String(pid));
    } catch (error) {
      const place = beside === undefined ? undefined : this.#placeOf(beside);
      if (place === undefined || !isErrno(error, 'EBUSY', 'EOPNOTSUPP')) {
        throw new OperationalError('CGROUP_FAILED', `cannot put process ${pid} into the cgroup`, {
          cause: error,
        });
      }
      writeValue(join(place, 'cgroup.procs'), String(pid));
    }
  }

  /** Where a process of the container is; never outside the container's own cgroup. */
  #placeOf(pid: number): string | undefined {
    const hierarchy = findCgroupHierarchy();
    const path = cgroupsOfProcess(pid)?.get('unified');
    if (hierarchy.version !== 2 || path === undefined) return undefined;
    const directory = join(hierarchy.root, path);
    return directory.startsWith(`${this.#directory}/`) ? directory : undefined;
  }

  async set(resources: RuntimeResources, signal?: AbortSignal): Promise<void> {
    const files = controlFilesV2(resources);
    checkMemoryUse(this.#directory, resources.memory);
    await this.#scope?.set(resources, signal);
    writeControlFiles(files, () => this.#directory);
  }

  /** Attaches the program that decides on devices. */
  setDevices(rules: readonly DeviceRule[]): void {
    const program = assembleDeviceProgram(effectiveDeviceRules(rules));
    const fd = openSync(this.#directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      attachDeviceProgram(fd, program);
    } catch (cause) {
      throw new OperationalError('CGROUP_FAILED', 'cannot attach the device rules to the cgroup', {
        cause,
      });
    } finally {
      closeSync(fd);
    }
  }

  /** Hands the cgroup to a user of the host, with the files that the kernel says are safe to give. */
  giveTo(uid: number): void {
    let files = DELEGATED_FILES;
    try {
      files = readFileSync('/sys/kernel/cgroup/delegate', 'utf8').trim().split('\n');
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
    chownSync(this.#directory, uid, -1);
    for (const file of files.filter((name) => !name.includes('/'))) {
      const path = join(this.#directory, file);
      if (existsSync(path)) chownSync(path, uid, -1);
    }
  }

  async freeze(signal?: AbortSignal): Promise<void> {
    this.#writeFreeze('1');
    await waitUntil(() => this.#hasFrozen(), 'the processes to stand still', signal);
  }

  async thaw(signal?: AbortSignal): Promise<void> {
    this.#writeFreeze('0');
    await waitUntil(() => !this.#hasFrozen(), 'the processes to go on', signal);
  }

  #writeFreeze(value: '0' | '1'): void {
    try {
      writeValue(join(this.#directory, 'cgroup.freeze'), value);
    } catch (cause) {
      throw new OperationalError('CGROUP_FAILED', `cannot freeze ${quote(this.#directory)}`, {
        cause,
      });
    }
  }

  #hasFrozen(): boolean {
    return /^frozen 1$/m.test(readValue(this.#directory, 'cgroup.events') ?? '');
  }

  isFrozen(): boolean {
    return readValue(this.#directory, 'cgroup.freeze') === '1';
  }

  pids(): readonly number[] {
    return cgroupTree(this.#directory).flatMap((directory) => processesOf(directory));
  }

  kill(signal: number): void {
    const all = join(this.#directory, 'cgroup.kill');
    if (signal !== SIGKILL || !existsSync(all)) {
      killAll(this, signal);
      return;
    }
    try {
      writeValue(all, '1');
    } catch (error) {
      // systemd removes a scope as soon as its last process has ended: then nobody is left to be killed.
      if (existsSync(all)) throw error;
    }
  }

  stats(): CgroupStats {
    return readUnifiedStats(this.#directory);
  }

  async delete(signal?: AbortSignal): Promise<void> {
    await this.#scope?.stop(signal);
    if (this.#directory === '') return;
    await waitUntil(
      () => removeCgroups(cgroupTree(this.#directory)),
      'the last process of the cgroup to end',
      signal,
    );
    removeDefaultParents([this.#directory]);
  }
}

/** The kernel of version 2 kills for a limit that is below what is used; version 1 refused it. */
function checkMemoryUse(directory: string, memory: RuntimeResources['memory']): void {
  const { limit, checkBeforeUpdate } = memory;
  if (!checkBeforeUpdate || limit === undefined || limit <= 0) return;
  const used = Number(readValue(directory, 'memory.current') ?? '0');
  if (limit >= used) return;
  throw new OperationalError(
    'RUNTIME_CONFIG_INVALID',
    `linux.resources.memory.limit: ${limit} bytes are less than the ${used} in use`,
  );
}
