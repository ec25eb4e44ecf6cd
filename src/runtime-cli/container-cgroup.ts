import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';

import { OperationalError } from '../errors/operational-error.js';
import { isErrno } from '../errors/is-errno.js';
import { absentManager } from '../runtime/cgroups/absent-cgroup.js';
import { removeCgroups } from '../runtime/cgroups/cgroup-files.js';
import { cgroupfsManager } from '../runtime/cgroups/cgroupfs-manager.js';
import type { Cgroup, CgroupManager, CgroupPlace, CgroupPlan } from '../runtime/cgroups/cgroup.js';
import { removeDefaultParents } from '../runtime/cgroups/make-directories.js';
import {
  openCgroup,
  systemdManager,
  type ScopeService,
} from '../runtime/cgroups/systemd-manager.js';
import { findCaller, type ConfinedCaller } from '../runtime/confined-caller.js';
import { userFolder } from './user-folder.js';

/** What of a call decides on control groups. */
interface CgroupWishes {
  readonly systemdCgroup: boolean;
  readonly withoutCgroup: boolean;
  readonly caller: ConfinedCaller | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Who makes the control groups of new containers. For a user that is his own service manager where he has one, or a
 * place that was handed to him; else there is none, as long as nobody asks for a limit.
 */
export function chooseManager(
  context: CgroupWishes,
  { id, path, resources }: CgroupPlan,
): CgroupManager {
  if (context.withoutCgroup) return absentManager('the caller wants no cgroup (--cgroup-manager)');
  const isRootless = context.caller?.isRootless === true;
  const scopes = systemdManager({
    scopes: busScopes(),
    defaultSlice: isRootless ? 'user.slice' : 'system.slice',
  });
  if (context.systemdCgroup) return scopes;
  const files = cgroupfsManager();
  if (!isRootless) return files;
  if (path === undefined || path === '') {
    const folder = userFolder(context.env, context.caller);
    if (folder !== undefined && existsSync(`${folder}/bus`)) return scopes;
    return absentManager('this user has no service manager that could make a cgroup');
  }
  const place = files.plan({ id, path, resources });
  return Object.values(place.directories).every(canBeMade)
    ? files
    : absentManager(`the cgroup ${path} is not this user's to make`);
}

/** Whether the nearest directory that is there may be written to. */
function canBeMade(directory: string): boolean {
  if (!existsSync(directory)) return canBeMade(dirname(directory));
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** What a record says of a control group. */
interface RecordedCgroup {
  readonly cgroup: CgroupPlace;
  readonly hasCgroup: boolean;
}

/**
 * The control group of a container that is known.
 *
 * @throws {@link OperationalError} CONTAINER_NOT_RUNNING if it was not made yet
 */
export function cgroupOf({ cgroup, hasCgroup }: RecordedCgroup): Cgroup {
  if (hasCgroup) return openCgroup(cgroup, busScopes());
  throw new OperationalError('CONTAINER_NOT_RUNNING', 'the container has no control group yet');
}

/**
 * Puts one more process into a container's control group; `beside` is one that is in there. A user may not move a process
 * out of his session himself: his service manager has it done.
 */
export async function joinCgroup(
  record: RecordedCgroup & { readonly pid: number },
  pid: number,
): Promise<void> {
  try {
    cgroupOf(record).join(pid, record.pid);
  } catch (error) {
    const { scope } = record.cgroup;
    const cause = error instanceof OperationalError ? error.cause : undefined;
    if (scope === undefined || !isErrno(cause, 'EACCES', 'EPERM')) throw error;
    const [directory = ''] = Object.values(record.cgroup.directories);
    await busScopes().attach(scope, directory.slice(directory.indexOf(scope) + scope.length), pid);
  }
}

/**
 * Takes away what there is of a control group that was only about to be made: empty directories. A scope of systemd went
 * with the container's process. What has processes is another container's, whatever place was asked for.
 */
export function removeUnfinishedCgroup({ cgroup }: RecordedCgroup): void {
  const directories = Object.values(cgroup.directories);
  for (const directory of new Set(directories)) removeCgroups([directory]);
  removeDefaultParents(directories);
}

/** Scopes over a connection that is made for each call: most commands need none, and none needs two. */
function busScopes(): ScopeService {
  const withScopes = async (body: (scopes: ScopeService) => Promise<void>): Promise<void> => {
    const { TransientScopes } = await import('../systemd/transient-scopes.js');
    await using scopes = await TransientScopes.connect(busOf(findCaller()));
    await body(scopes);
  };
  return {
    start: (name, properties, signal) =>
      withScopes((scopes) => scopes.start(name, properties, signal)),
    setProperties: (name, properties, signal) =>
      withScopes((scopes) => scopes.setProperties(name, properties, signal)),
    attach: (name, subgroup, pid) => withScopes((scopes) => scopes.attach(name, subgroup, pid)),
    stop: (name, signal) => withScopes((scopes) => scopes.stop(name, signal)),
  };
}

/** The bus of the service manager that a caller's scopes are with. */
function busOf(caller: ConfinedCaller | undefined): {
  readonly mode: 'system' | 'user';
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly uid?: number;
} {
  if (caller?.isRootless !== true) return { mode: 'system', environment: process.env };
  const folder = userFolder(process.env, caller);
  return {
    mode: 'user',
    environment: { ...process.env, ...(folder === undefined ? {} : { XDG_RUNTIME_DIR: folder }) },
    uid: caller.hostUid,
  };
}
