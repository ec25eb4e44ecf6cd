import { existsSync } from 'node:fs';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { IdMapping, RuntimeConfig, RuntimeMount } from '../oci/runtime-config.js';
import { isMapped, type ConfinedCaller, type IdRange } from './confined-caller.js';
import { highestLimit, readOwnLimits, type OwnLimits } from './own-limits.js';

/** File systems that the kernel lets root of a user namespace mount (FS_USERNS_MOUNT). */
const MOUNTABLE = new Set([
  ...['tmpfs', 'ramfs', 'proc', 'sysfs', 'devpts', 'mqueue', 'cgroup', 'cgroup2'],
  ...['overlay', 'fuse', 'bpf', 'binfmt_misc'],
]);

/**
 * Refuses what a caller who is not root of the host cannot have, before anything is made: the kernel would say no more
 * than "Operation not permitted", in the middle.
 *
 * @throws {@link OperationalError} RUNTIME_UNSUPPORTED, RUNTIME_CONFIG_INVALID
 */
export function checkConfined(
  config: RuntimeConfig,
  caller: ConfinedCaller,
  limits: OwnLimits = readOwnLimits(),
): void {
  const user = config.linux.namespaces.find(({ type }) => type === 'user');
  const isNew = user !== undefined && (user.path === undefined || user.path === '');
  if (user === undefined && caller.kind === 'user') {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      'linux.namespaces: there is no user namespace, and only root can do without one',
      { hint: 'berth-runtime spec --rootless writes a config.json that has one' },
    );
  }
  if (!config.linux.namespaces.some(({ type }) => type === 'mount')) {
    unsupported('linux.namespaces: only root can do without a mount namespace');
  }
  if (isNew) checkMappings(config, caller);
  const known = isNew ? mappedInside(config) : user === undefined ? caller : undefined;
  if (known !== undefined) checkIds(config, known);
  if (config.process.user.additionalGids.length > 0 && !changesGroups(config, caller)) {
    unsupported(
      'process.user.additionalGids: in a user namespace that maps one group alone, Linux lets nobody change groups',
    );
  }
  for (const [index, mount] of config.mounts.entries()) checkMount(mount, `mounts[${index}]`);
  for (const { path, type } of config.linux.devices) {
    if (type === 'p' || existsSync(path)) continue;
    unsupported(
      `linux.devices: the host has no ${quote(path)}, and in a user namespace no device can be made`,
    );
  }
  checkLimits(config, limits);
}

/** Whether the container's processes may change their groups: not where a user maps his own group alone. */
export function changesGroups(config: RuntimeConfig, caller: ConfinedCaller): boolean {
  if (!caller.setgroups) return false;
  const { gidMappings } = config.linux;
  return caller.kind === 'namespace' || !isOwnAlone(gidMappings, caller.gid);
}

/** Whether a map has one id, and that is the caller's: what the kernel lets everybody write. */
export function isOwnAlone(mappings: readonly IdMapping[], own: number): boolean {
  const [first, ...rest] = mappings;
  return rest.length === 0 && first?.hostID === own && first.size === 1;
}

interface KnownIds {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}

function mappedInside({ linux }: RuntimeConfig): KnownIds {
  const ranges = (mappings: readonly IdMapping[]): readonly IdRange[] =>
    mappings.map(({ containerID, size }) => ({ first: containerID, count: size }));
  return { uids: ranges(linux.uidMappings), gids: ranges(linux.gidMappings) };
}

function checkMappings({ linux }: RuntimeConfig, caller: ConfinedCaller): void {
  for (const [key, known] of [
    ['uidMappings', caller.uids],
    ['gidMappings', caller.gids],
  ] as const) {
    for (const [index, { hostID, size }] of linux[key].entries()) {
      const ends = [hostID, hostID + size - 1];
      if (ends.every((id) => isMapped(known, id))) continue;
      unsupported(
        `linux.${key}[${index}].hostID: ${hostID} (${size}) is not among the ids of the user namespace that this runs in`,
      );
    }
  }
}

function checkIds({ process, mounts }: RuntimeConfig, known: KnownIds): void {
  const { user } = process;
  const wanted = [
    ...(user.username === undefined
      ? ([
          ['process.user.uid', user.uid, known.uids],
          ['process.user.gid', user.gid, known.gids],
        ] as const)
      : []),
    ...user.additionalGids.map((gid) => ['process.user.additionalGids', gid, known.gids] as const),
    ...mounts.flatMap(({ options, type }, index) =>
      options.flatMap((option) => {
        const match = type === 'bind' ? null : /^(uid|gid)=(\d+)$/.exec(option);
        if (match === null) return [];
        const ids = match[1] === 'uid' ? known.uids : known.gids;
        return [[`mounts[${index}].options: ${option}`, Number(match[2]), ids] as const];
      }),
    ),
  ];
  for (const [what, id, ids] of wanted) {
    if (!isMapped(ids, id)) {
      unsupported(`${what}: the container's user namespace has no ${id}`);
    }
  }
}

function checkMount(mount: RuntimeMount, at: string): void {
  const { type, options } = mount;
  if (mount.uidMappings.length > 0 || options.some((option) => /^r?idmap$/.test(option))) {
    unsupported(`${at}: only root can map the owners of a mount`);
  }
  const isBind = type?.endsWith('bind') === true || options.some((one) => /^r?bind$/.test(one));
  if (isBind || type === undefined || options.includes('remount') || MOUNTABLE.has(type)) return;
  unsupported(`${at}: only root can mount a file system of type ${quote(type)}`);
}

function checkLimits({ process }: RuntimeConfig, limits: OwnLimits): void {
  for (const { type, hard } of process.rlimits) {
    const most = highestLimit(limits, type);
    if (hard <= most) continue;
    unsupported(`process.rlimits: ${type} is ${most} here, and only root can raise it to ${hard}`);
  }
  const { oomScoreAdj } = process;
  if (oomScoreAdj === undefined || oomScoreAdj >= limits.oomScoreAdj) return;
  unsupported(
    `process.oomScoreAdj: it is ${limits.oomScoreAdj} here, and only root can lower it to ${oomScoreAdj}`,
  );
}

function unsupported(problem: string): never {
  throw new OperationalError('RUNTIME_UNSUPPORTED', problem);
}
