import { join } from 'node:path';

import { quote } from '../../base/escape-text.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { DeviceRule, RuntimeResources } from '../../oci/runtime-config.js';
import type { Cgroup, CgroupPlace, CgroupStats } from './cgroup.js';
import {
  cgroupTree,
  processesOf,
  readValue,
  removeCgroups,
  writeControlFiles,
  writeValue,
} from './cgroup-files.js';
import { controlFilesV1, deviceFilesV1 } from './control-files-v1.js';
import { effectiveDeviceRules } from './device-rules.js';
import { killAll } from './kill-all.js';
import { readLegacyStats } from './legacy-stats.js';
import { removeDefaultParents } from './make-directories.js';
import type { ScopeOwner } from './scope-owner.js';
import { waitUntil } from './wait-until.js';

/** Controllers whose directory is asked for the processes: the first that is there. */
const COUNTING = ['pids', 'freezer', 'memory', 'devices', 'cpu', 'name=systemd'];

/** A cgroup of version 1: one directory in each hierarchy. */
export class LegacyCgroup implements Cgroup {
  readonly place: CgroupPlace;
  readonly #directories: readonly string[];
  readonly #scope: ScopeOwner | undefined;

  constructor(place: CgroupPlace, scope?: ScopeOwner) {
    this.place = place;
    this.#directories = [...new Set(Object.values(place.directories))];
    this.#scope = scope;
  }

  join(pid: number): void {
    for (const directory of this.#directories) {
      try {
        writeValue(join(directory, 'cgroup.procs'), String(pid));
      } catch (cause) {
        throw new OperationalError(
          'CGROUP_FAILED',
          `cannot put process ${pid} into the cgroup ${quote(directory)}`,
          { cause },
        );
      }
    }
  }

  async set(resources: RuntimeResources, signal?: AbortSignal): Promise<void> {
    const files = controlFilesV1(resources);
    await this.#scope?.set(resources, signal);
    const directoryOf = (controller: string): string | undefined =>
      this.place.directories[controller];
    const isMemory = (file: string): boolean => /^memory\.(memsw\.)?limit/.test(file);
    const [limits, rest] = [
      files.filter(({ file }) => isMemory(file)),
      files.filter(({ file }) => !isMemory(file)),
    ];
    try {
      writeControlFiles(limits, directoryOf);
    } catch (error) {
      // Memory and swap together are never below memory alone: to raise both, the other has to be first.
      if (limits.length < 2) throw error;
      writeControlFiles([...limits].reverse(), directoryOf);
    }
    writeControlFiles(rest, directoryOf);
  }

  /** Sets what the device controller allows. */
  setDevices(rules: readonly DeviceRule[]): void {
    writeControlFiles(
      deviceFilesV1(effectiveDeviceRules(rules)),
      (controller) => this.place.directories[controller],
    );
  }

  async freeze(signal?: AbortSignal): Promise<void> {
    await this.#setState('FROZEN', signal);
  }

  async thaw(signal?: AbortSignal): Promise<void> {
    await this.#setState('THAWED', signal);
  }

  async #setState(state: 'FROZEN' | 'THAWED', signal: AbortSignal | undefined): Promise<void> {
    const freezer = this.place.directories['freezer'];
    if (freezer === undefined) {
      throw new OperationalError('RUNTIME_UNSUPPORTED', 'this host cannot freeze: no freezer');
    }
    // A process that begins while others are stopped is caught by asking again.
    const stands = (): boolean => {
      writeValue(join(freezer, 'freezer.state'), state);
      return readValue(freezer, 'freezer.state') === state;
    };
    await waitUntil(stands, 'the processes to stand still or go on', signal);
  }

  isFrozen(): boolean {
    const freezer = this.place.directories['freezer'];
    return freezer !== undefined && readValue(freezer, 'freezer.state')?.startsWith('FR') === true;
  }

  pids(): readonly number[] {
    const directory = COUNTING.map((name) => this.place.directories[name]).find(
      (path) => path !== undefined,
    );
    if (directory === undefined) return [];
    return cgroupTree(directory).flatMap((path) => processesOf(path));
  }

  kill(signal: number): void {
    killAll(this, signal);
    // What is frozen dies when it goes on.
    const freezer = this.place.directories['freezer'];
    if (signal === 9 && freezer !== undefined && this.isFrozen()) {
      writeValue(join(freezer, 'freezer.state'), 'THAWED');
    }
  }

  stats(): CgroupStats {
    return readLegacyStats(this.place.directories, this.pids().length);
  }

  async delete(signal?: AbortSignal): Promise<void> {
    await this.#scope?.stop(signal);
    const trees = (): readonly string[] =>
      this.#directories.flatMap((directory) => cgroupTree(directory));
    await waitUntil(() => removeCgroups(trees()), 'the last process of the cgroup to end', signal);
    removeDefaultParents(this.#directories);
  }
}
