import { OperationalError } from '../errors/operational-error.js';
import type { RuntimeConfig, RuntimeMount, RuntimeProcess } from '../oci/runtime-config.js';
import { checkConfined } from './check-confined.js';
import type { CompiledUser } from './compile-process.js';
import type { ConfinedCaller, IdRange } from './confined-caller.js';
import type { LaunchPlanOptions } from './launch-plan.js';
import { highestLimit } from './own-limits.js';
import type { ServiceUser } from './service-user.js';

const ALL_IDS: readonly IdRange[] = [{ first: 0, count: 0xffff_ffff }];

/** Policies of the scheduler that only root may give. */
const PRIVILEGED_POLICY = /^SCHED_(FIFO|RR|DEADLINE)$/;

/** Takes a config.json and the options of its plan as they are for the user whose service manager runs it, if one does. */
export function takeUser(
  config: RuntimeConfig,
  context: {
    readonly options: LaunchPlanOptions;
    readonly user: CompiledUser;
    readonly warn: (warning: string) => void;
  },
): { readonly config: RuntimeConfig; readonly options: LaunchPlanOptions } {
  const { options, user: ids, warn } = context;
  const { user } = options;
  if (user === undefined) return { config, options };
  return {
    config: adaptToUser(config, { user, ids, warn }),
    options: { ...options, confined: { kind: 'user', keepGroups: true, mapsItself: true } },
  };
}

/**
 * Gives a config.json as an ordinary user can have it: one that was made for root gets a user namespace that knows one id, the
 * process's own, which is the user. What of the rest only root can give is left out with a warning where the program can do without
 * it, as nobody here can mend an image; what would be another container is refused by name.
 *
 * @throws {@link OperationalError} RUNTIME_UNSUPPORTED, RUNTIME_CONFIG_INVALID
 */
export function adaptToUser(
  config: RuntimeConfig,
  context: {
    readonly user: ServiceUser;
    /** Who the process is in the container. */
    readonly ids: CompiledUser;
    readonly warn: (warning: string) => void;
  },
): RuntimeConfig {
  const { user, ids, warn } = context;
  const { linux } = config;
  for (const { type, path = '' } of linux.namespaces) {
    if (path === '') continue;
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      `linux.namespaces: only root can join a ${type} namespace by its path`,
    );
  }
  if (linux.uidMappings.length + linux.gidMappings.length > 0) {
    warn(
      `linux.uidMappings, linux.gidMappings: a user can map himself alone, so ids ${ids.uid} and ${ids.gid} are all that there are`,
    );
  }
  warnOfGroups(ids, warn);
  const others = linux.namespaces.filter(({ type }) => type !== 'user');
  const adapted: RuntimeConfig = {
    ...config,
    process: adaptProcess(config.process, context),
    mounts: config.mounts.map((mount) => adaptMount(mount, ids)),
    linux: {
      ...linux,
      namespaces: [...others, { type: 'user', path: undefined }],
      uidMappings: [{ containerID: ids.uid, hostID: user.uid, size: 1 }],
      gidMappings: [{ containerID: ids.gid, hostID: user.gid, size: 1 }],
    },
  };
  checkConfined(adapted, callerOf(user), user.limits);
  return adapted;
}

function callerOf({ uid, gid }: ServiceUser): ConfinedCaller {
  const known = { hostUid: uid, uids: ALL_IDS, gids: ALL_IDS };
  return { kind: 'user', uid, gid, ...known, setgroups: true, isRootless: true };
}

/** Linux lets nobody change groups in a namespace that a user made for himself alone: he could leave one that keeps him out. */
function warnOfGroups({ gid, groups }: CompiledUser, warn: (warning: string) => void): void {
  const others = groups.filter((group) => group !== gid);
  if (others.length === 0) return;
  warn(
    `groups ${others.join(', ')} are not given: the process has those of the user, and no others`,
  );
}

function adaptProcess(
  process: RuntimeProcess,
  { user, warn }: { readonly user: ServiceUser; readonly warn: (warning: string) => void },
): RuntimeProcess {
  const rlimits = process.rlimits.map((limit) => {
    const highest = highestLimit(user.limits, limit.type);
    if (limit.hard <= highest) return limit;
    warn(`process.rlimits: ${limit.type} is ${highest}, which only root can raise`);
    return { ...limit, soft: Math.min(limit.soft, highest), hard: highest };
  });
  const { scheduler, ioPriority } = process;
  const first = scheduler !== undefined && PRIVILEGED_POLICY.test(scheduler.policy);
  const nicer = (scheduler?.nice ?? 0) < 0;
  if (first || nicer)
    warn('process.scheduler: only root can put a process before others, ignoring');
  const realtime = ioPriority?.class === 'IOPRIO_CLASS_RT';
  if (realtime) warn('process.ioPriority: only root can put a process before others, ignoring');
  return {
    ...process,
    user: { ...process.user, additionalGids: [] },
    rlimits,
    oomScoreAdj: undefined, // the unit's
    scheduler: first || nicer ? undefined : scheduler,
    ioPriority: realtime ? undefined : ioPriority,
  };
}

/** Who else than the process owns what is mounted: there is nobody else. The terminals' group (5) is what all documents have. */
function adaptMount(mount: RuntimeMount, ids: CompiledUser): RuntimeMount {
  const isKnown = (option: string): boolean => {
    const [, kind, id] = /^([ug]id)=(\d+)$/.exec(option) ?? [];
    return kind === undefined || Number(id) === (kind === 'uid' ? ids.uid : ids.gid);
  };
  return { ...mount, options: mount.options.filter(isKnown) };
}
