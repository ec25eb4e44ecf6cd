import type { IdMapping, RuntimeConfig, RuntimeDevice } from '../oci/runtime-config.js';
import { compileDeviceRules } from '../runtime/device-directives.js';
import { newMounts } from './loosened-mounts.js';
import { loosenedSeccomp } from './loosened-seccomp.js';

/**
 * What a config.json lets its container do that the one before does not, in a person's words, beside capabilities, shared
 * namespaces and its user, which the record of a deployment has. Names, limits, arguments and kernel parameters (of namespaces of
 * its own, others are refused) are none of it.
 *
 * With `ownFilter` both have berth's filter of system calls: that of a later version is none of the image's doing.
 *
 * Compared member by member, not by the words: an image chooses paths, and could choose them so that two mounts read alike.
 */
export function loosenedConfig(
  before: RuntimeConfig | undefined,
  after: RuntimeConfig,
  { ownFilter = false }: { readonly ownFilter?: boolean } = {},
): readonly string[] {
  return [
    ...newMounts(before?.mounts ?? [], after.mounts),
    ...newDevices(before, after),
    ...joinedNamespaces(before, after),
    ...mappedIds(before, after),
    ...heldFromStart(before, after),
    ...(ownFilter ? [] : lostFilter(before, after)),
    ...lostProtection(before, after),
  ];
}

function newDevices(before: RuntimeConfig | undefined, after: RuntimeConfig): readonly string[] {
  const rules = (config: RuntimeConfig | undefined): 'all' | readonly string[] =>
    compileDeviceRules(config?.linux.resources.devices ?? []).rules;
  const old = rules(before);
  if (old === 'all') return [];
  const had = before?.linux.devices ?? [];
  const isBound = after.linux.namespaces.some(({ type }) => type === 'user');
  return [
    ...after.linux.devices
      .filter(
        (node) =>
          // With a user namespace the path is the host's, and what is there is bound.
          !had.some((other) => opensAs(other, node) && (!isBound || other.path === node.path)),
      )
      .map(({ type, path, major, minor, fileMode = DEFAULT_MODE, uid, gid }) => {
        const what = `${type === 'b' ? 'block' : 'char'} ${major}:${minor}`;
        const isKnown = had.some((other) => isSameDevice(other, { type, major, minor }));
        const owner = isKnown ? `, mode ${fileMode.toString(8)} of ${uid}:${gid}` : '';
        return `device ${path} (${what}${owner})`;
      }),
    ...newDeviceRules(old, rules(after)),
  ];
}

/** Of a node that says none. */
const DEFAULT_MODE = 0o666;

/** Whether a node lets in whoever another one of the same device does. */
function opensAs(old: RuntimeDevice, now: RuntimeDevice): boolean {
  const { fileMode: had = DEFAULT_MODE } = old;
  const { fileMode: has = DEFAULT_MODE } = now;
  return (
    isSameDevice(old, now) &&
    old.uid === now.uid &&
    old.gid === now.gid &&
    (has & ~had & 0o777) === 0
  );
}

type DeviceNumbers = Pick<RuntimeDevice, 'type' | 'major' | 'minor'>;

function isSameDevice(one: DeviceNumbers, other: DeviceNumbers): boolean {
  return one.type === other.type && one.major === other.major && one.minor === other.minor;
}

function newDeviceRules(had: readonly string[], now: 'all' | readonly string[]): readonly string[] {
  if (now === 'all') return ['all devices of the host'];
  const granted = had.map(parseRule);
  return now.flatMap((rule) => {
    const { device, access } = parseRule(rule);
    const known = granted
      .filter((other) => other.device === device)
      .flatMap((other) => other.access);
    return access.every((letter) => known.includes(letter)) ? [] : [`device ${rule}`];
  });
}

/** An entry of DeviceAllow=: a path or a group without blanks, and letters. */
function parseRule(rule: string): { readonly device: string; readonly access: readonly string[] } {
  const [device = '', access = ''] = rule.split(' ');
  return { device, access: access.match(/[rwm]/g) ?? [] };
}

function joinedNamespaces(before: RuntimeConfig | undefined, after: RuntimeConfig): string[] {
  const joined = ({ linux }: RuntimeConfig): readonly string[] =>
    linux.namespaces.flatMap(({ type, path }) =>
      path === undefined || path === '' ? [] : [`namespace ${type} of ${path}`],
    );
  const had = new Set(before === undefined ? [] : joined(before));
  return joined(after).filter((words) => !had.has(words));
}

/** Ids of the host that a user namespace stands for. Whoever had none had all. */
function mappedIds(before: RuntimeConfig | undefined, after: RuntimeConfig): readonly string[] {
  if (before?.linux.namespaces.some(({ type }) => type === 'user') !== true) return [];
  return (['uidMappings', 'gidMappings'] as const).flatMap((member) =>
    after.linux[member]
      .filter((map) => !before.linux[member].some((other) => covers(other, map)))
      .map(({ hostID, size }) => {
        const kind = member === 'uidMappings' ? 'user' : 'group';
        return `${kind} ids ${hostID} to ${hostID + size - 1} of the host`;
      }),
  );
}

function covers(wide: IdMapping, narrow: IdMapping): boolean {
  return wide.hostID <= narrow.hostID && narrow.hostID + narrow.size <= wide.hostID + wide.size;
}

/** What a program that is not root's has without asking for it; root has the bounding set anyway. */
function heldFromStart(before: RuntimeConfig | undefined, after: RuntimeConfig): string[] {
  if (isRoot(after)) return [];
  const old = before?.process.capabilities;
  const had = new Set([
    ...(old?.ambient ?? []),
    ...(before !== undefined && isRoot(before) ? (old?.bounding ?? []) : []),
  ]);
  return (after.process.capabilities?.ambient ?? [])
    .filter((name) => !had.has(name))
    .map((name) => `capability ${name} from its start (ambient)`);
}

function isRoot({ process: { user } }: RuntimeConfig): boolean {
  return user.uid === 0 && user.username === undefined;
}

function lostProtection(
  before: RuntimeConfig | undefined,
  after: RuntimeConfig,
): readonly string[] {
  const lost: string[] = [];
  if (before?.process.noNewPrivileges !== false && !after.process.noNewPrivileges)
    lost.push('privileges by set-user-ID programs (noNewPrivileges is off)');
  if (before === undefined) return lost;
  for (const [member, what] of [
    ['apparmorProfile', 'AppArmor profile'],
    ['selinuxLabel', 'SELinux label'],
  ] as const) {
    const [old, now] = [before.process[member], after.process[member]];
    if (old !== undefined && old !== now) lost.push(`${now ?? 'no'} ${what} in place of ${old}`);
  }
  for (const [member, what] of [
    ['maskedPaths', 'masked'],
    ['readonlyPaths', 'read-only'],
  ] as const) {
    const held = new Set([...after.linux[member], ...after.linux.maskedPaths]);
    for (const path of before.linux[member])
      if (!held.has(path)) lost.push(`${path}, no longer ${what}`);
  }
  const shared = (config: RuntimeConfig): boolean =>
    config.linux.rootfsPropagation?.endsWith('shared') === true;
  if (shared(after) && !shared(before)) lost.push('mounts that reach the host (rootfsPropagation)');
  return lost;
}

function lostFilter(before: RuntimeConfig | undefined, after: RuntimeConfig): readonly string[] {
  if (before !== undefined) return loosenedSeccomp(before.linux.seccomp, after.linux.seccomp);
  return after.linux.seccomp === undefined ? ['all system calls (no seccomp profile)'] : [];
}
