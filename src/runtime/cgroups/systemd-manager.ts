import { join } from 'node:path';

import { quote } from '../../base/escape-text.js';
import { OperationalError } from '../../errors/operational-error.js';
import { AbsentCgroup } from './absent-cgroup.js';
import type { Cgroup, CgroupManager, CgroupPlace, CgroupPlan, CgroupRequest } from './cgroup.js';
import {
  cgroupsOfProcess,
  checkCgroupPath,
  findCgroupHierarchy,
  type CgroupHierarchy,
} from './hierarchy.js';
import { LegacyCgroup } from './legacy-cgroup.js';
import { makeCgroupDirectories } from './make-directories.js';
import type { ScopeOwner } from './scope-owner.js';
import { scopeProperties, type ScopeProperty } from './scope-properties.js';
import { UnifiedCgroup } from './unified-cgroup.js';

/** What is asked of a service manager; src/systemd/transient-scopes.ts does it over D-Bus. */
export interface ScopeService {
  /** Starts a transient scope around processes, and returns when it stands. */
  start(name: string, properties: readonly ScopeProperty[], signal?: AbortSignal): Promise<void>;
  setProperties(
    name: string,
    properties: readonly ScopeProperty[],
    signal?: AbortSignal,
  ): Promise<void>;
  /** Puts a process into a delegated scope, or a cgroup below it. */
  attach(name: string, subgroup: string, pid: number): Promise<void>;
  /** Stops a scope, and returns when it is gone; one that is not there is no failure. */
  stop(name: string, signal?: AbortSignal): Promise<void>;
}

/** Options of {@link systemdManager}. */
export interface SystemdManagerOptions {
  readonly scopes: ScopeService;
  /** Slice for containers that name none: `system.slice`, or `user.slice` of a user's own manager. */
  readonly defaultSlice: string;
}

/**
 * A manager that asks systemd for a scope: `linux.cgroupsPath` is `SLICE:PREFIX:NAME`, which gives `PREFIX-NAME.scope`
 * in SLICE; without it `berth-ID.scope` in the default slice. The scope is delegated: systemd leaves all below it alone.
 */
export function systemdManager(options: SystemdManagerOptions): CgroupManager {
  return {
    plan: (request) => ({
      manager: 'systemd',
      version: findCgroupHierarchy().version,
      directories: {},
      scope: scopeNames(request, options.defaultSlice).scope,
    }),
    create: (request) => createScope(findCgroupHierarchy(), options, request),
  };
}

async function createScope(
  hierarchy: CgroupHierarchy,
  options: SystemdManagerOptions,
  request: CgroupRequest,
): Promise<Cgroup> {
  const { resources, pid, signal } = request;
  const { slice, scope } = scopeNames(request, options.defaultSlice);
  await options.scopes.start(
    scope,
    [
      ['Description', 's', `container ${request.id}`],
      ['Slice', 's', slice],
      ['PIDs', 'au', [pid]],
      ['Delegate', 'b', true],
      ['DefaultDependencies', 'b', false],
      ['CPUAccounting', 'b', true],
      ['MemoryAccounting', 'b', true],
      ['IOAccounting', 'b', true],
      ['TasksAccounting', 'b', true],
      ...(hierarchy.version === 2 ? scopeProperties(resources) : []),
    ],
    signal,
  );
  try {
    const place: CgroupPlace = {
      manager: 'systemd',
      version: hierarchy.version,
      directories: directoriesOf(hierarchy, { pid, scope }),
      scope,
    };
    const owner = scopeOwner(options.scopes, place);
    const cgroup =
      place.version === 2 ? new UnifiedCgroup(place, owner) : new LegacyCgroup(place, owner);
    if (cgroup instanceof LegacyCgroup) cgroup.join(pid);
    await cgroup.set(resources, signal);
    if (request.withoutDeviceRules !== true) cgroup.setDevices(resources.devices);
    if (request.owner !== undefined && cgroup instanceof UnifiedCgroup)
      cgroup.giveTo(request.owner);
    return cgroup;
  } catch (error) {
    await options.scopes.stop(scope);
    throw error;
  }
}

/** Opens the cgroup of a state file again. `scopes` is needed for what systemd made. */
export function openCgroup(place: CgroupPlace, scopes?: ScopeService): Cgroup {
  if (place.manager === 'none') return new AbsentCgroup(place);
  const owner = scopes === undefined ? undefined : scopeOwner(scopes, place);
  return place.version === 2 ? new UnifiedCgroup(place, owner) : new LegacyCgroup(place, owner);
}

function scopeOwner(scopes: ScopeService, place: CgroupPlace): ScopeOwner | undefined {
  const { scope, version } = place;
  if (scope === undefined) return undefined;
  return {
    async set(resources, signal) {
      const properties = version === 2 ? scopeProperties(resources) : [];
      if (properties.length > 0) await scopes.setProperties(scope, properties, signal);
    },
    stop: (signal) => scopes.stop(scope, signal),
  };
}

/** Characters of unit names (systemd.unit(5)). */
const UNIT_PART = /^[A-Za-z0-9:_.\\@-]{1,200}$/;

function scopeNames(
  request: Pick<CgroupPlan, 'id' | 'path'>,
  defaultSlice: string,
): { readonly slice: string; readonly scope: string } {
  const { path, id } = request;
  const [slice, prefix, name, ...rest] =
    path === undefined || path === '' ? ['', 'berth', id] : path.split(':');
  const isWrong =
    slice === undefined || prefix === undefined || name === undefined || rest.length > 0;
  if (isWrong || !UNIT_PART.test(name) || !/^[A-Za-z0-9:_.\\@-]{0,200}$/.test(prefix)) {
    throw new OperationalError(
      'RUNTIME_CONFIG_INVALID',
      `linux.cgroupsPath: ${quote(path ?? id)} is not SLICE:PREFIX:NAME, which systemd needs`,
    );
  }
  if (slice !== '' && slice !== '-.slice' && !/^[A-Za-z0-9:_.\\@-]{1,200}\.slice$/.test(slice)) {
    throw new OperationalError(
      'RUNTIME_CONFIG_INVALID',
      `linux.cgroupsPath: ${quote(slice)} is not the name of a slice`,
    );
  }
  return {
    slice: slice === '' ? defaultSlice : slice,
    scope: `${prefix === '' ? '' : `${prefix}-`}${name}.scope`,
  };
}

/** Where systemd has put the process; controllers of version 1 that it does not manage get the same path. */
function directoriesOf(
  hierarchy: CgroupHierarchy,
  { pid, scope }: { readonly pid: number; readonly scope: string },
): CgroupPlace['directories'] {
  const places = cgroupsOfProcess(pid);
  const path = places?.get(hierarchy.version === 2 ? 'unified' : 'name=systemd');
  const names = path === undefined ? [] : checkCgroupPath(path);
  if (names.at(-1) !== scope) {
    throw new OperationalError(
      'CGROUP_FAILED',
      `systemd has not put process ${pid} into ${scope}, it is in ${quote(path ?? 'no cgroup')}`,
    );
  }
  if (hierarchy.version === 2) return { unified: join(hierarchy.root, ...names) };
  return makeCgroupDirectories(hierarchy, names).directories;
}
