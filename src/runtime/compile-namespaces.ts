import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { IdMapping, RuntimeLinux } from '../oci/runtime-config.js';
import type { LaunchConfinement } from './confined-caller.js';
import type { Instruction } from './plan-format.js';

/** The namespaces of config-linux.md by the flag of clone(2). */
export const NAMESPACE_FLAGS = {
  mount: 0x0002_0000,
  cgroup: 0x0200_0000,
  uts: 0x0400_0000,
  ipc: 0x0800_0000,
  user: 0x1000_0000,
  pid: 0x2000_0000,
  network: 0x4000_0000,
  time: 0x0000_0080,
} as const;

/** A type of namespace. */
export type LinuxNamespace = keyof typeof NAMESPACE_FLAGS;

/** The kernel takes at most 340 lines of a map (user_namespaces(7)). */
const MAX_ID_MAPPINGS = 340;

/** The namespaces of a container: made anew, or joined by path. */
export interface CompiledNamespaces {
  readonly list: readonly { readonly type: LinuxNamespace; readonly path?: string }[];
  /** Whether the container has that namespace for itself or joins one: it is not the host's. */
  has(type: LinuxNamespace): boolean;
  /** Whether the namespace is made for this container alone. */
  isNew(type: LinuxNamespace): boolean;
  readonly instructions: readonly Instruction[];
}

/**
 * Compiles the namespaces.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID, RUNTIME_UNSUPPORTED
 */
export function compileNamespaces(
  linux: RuntimeLinux,
  options: {
    readonly hostPlace?: string;
    readonly confined?: LaunchConfinement;
  } = {},
): CompiledNamespaces {
  const byType = new Map<LinuxNamespace, string | undefined>();
  for (const [index, { type, path }] of linux.namespaces.entries()) {
    const at = `linux.namespaces[${index}]`;
    if (!isNamespace(type)) refuse(`${at}: ${quote(type)} is not a namespace`);
    if (byType.has(type)) refuse(`${at}: ${quote(type)} stands twice`);
    if (path !== undefined && path !== '' && !path.startsWith('/')) {
      refuse(`${at}: ${quote(path)} is not an absolute path`);
    }
    byType.set(type, path === '' ? undefined : path);
  }
  if (!byType.has('mount') && (options.hostPlace === undefined || byType.has('user'))) {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      byType.has('user')
        ? 'a user namespace without a mount namespace has no right to mount anything'
        : 'the container has no mount namespace of its own: refusing to mount on the host',
    );
  }
  const isNew = (type: LinuxNamespace): boolean =>
    byType.has(type) && byType.get(type) === undefined;
  const list = [...byType].map(([type, path]) => (path === undefined ? { type } : { type, path }));
  return {
    list,
    has: (type) => byType.has(type),
    isNew,
    instructions: [
      ...compileUserNamespace(linux, { isNew: isNew('user'), confined: options.confined }),
      ...list.flatMap(({ type, path }): readonly Instruction[] =>
        path === undefined ? [] : [['JOIN', NAMESPACE_FLAGS[type], path]],
      ),
      ['UNSHARE', unshareFlags(list), timeOffsets(linux, isNew('time'))],
      // An ordinary user may open no tree of mounts: he does so as root of the namespace, which comes first.
      ...(options.confined?.kind === 'user' ? ([['ROOT_FIRST']] as const) : []),
    ],
  };
}

function unshareFlags(list: CompiledNamespaces['list']): number {
  return list
    .filter(({ type, path }) => path === undefined && type !== 'user')
    .reduce((flags, { type }) => flags | NAMESPACE_FLAGS[type], 0);
}

function compileUserNamespace(
  linux: RuntimeLinux,
  user: { readonly isNew: boolean; readonly confined: LaunchConfinement | undefined },
): readonly Instruction[] {
  if (!user.isNew) {
    if (linux.uidMappings.length + linux.gidMappings.length > 0 && !hasUser(linux)) {
      refuse('there are id mappings, but no user namespace');
    }
    return [];
  }
  if (linux.uidMappings.length === 0 || linux.gidMappings.length === 0) {
    refuse('a user namespace needs uidMappings and gidMappings');
  }
  const maps = [formatMap(linux.uidMappings), formatMap(linux.gidMappings)] as const;
  // An ordinary user's maps are made by whoever runs the launcher: programs with more rights have to help.
  const byOthers = user.confined?.kind === 'user' && user.confined.mapsItself !== true;
  return [['USER_NAMESPACE', ...(byOthers ? (['', ''] as const) : maps)]];
}

function hasUser(linux: RuntimeLinux): boolean {
  return linux.namespaces.some(({ type }) => type === 'user');
}

/**
 * A map of ids as the kernel reads it. Ranges that overlap are refused: the kernel would say no more than EINVAL.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID
 */
export function formatMap(mappings: readonly IdMapping[]): string {
  if (mappings.length > MAX_ID_MAPPINGS) refuse(`more than ${MAX_ID_MAPPINGS} id mappings`);
  for (const key of ['containerID', 'hostID'] as const) {
    const sorted = [...mappings].sort((one, other) => one[key] - other[key]);
    const twice = sorted.find((map, index) => {
      const before = sorted[index - 1];
      return before !== undefined && map[key] < before[key] + before.size;
    });
    if (twice !== undefined) refuse(`id mappings: ${key} ${twice[key]} is mapped twice`);
  }
  return mappings.map((map) => `${map.containerID} ${map.hostID} ${map.size}\n`).join('');
}

function timeOffsets(linux: RuntimeLinux, isNew: boolean): string {
  const offsets = Object.entries(linux.timeOffsets);
  if (offsets.length > 0 && !isNew) refuse('there are time offsets, but no new time namespace');
  return offsets
    .map(([clock, { secs, nanosecs }]) => {
      if (clock !== 'monotonic' && clock !== 'boottime') {
        refuse(`linux.timeOffsets: ${quote(clock)} is not a clock that can be set off`);
      }
      return `${clock} ${secs} ${nanosecs}\n`;
    })
    .join('');
}

function isNamespace(type: string): type is LinuxNamespace {
  return Object.hasOwn(NAMESPACE_FLAGS, type);
}

function refuse(problem: string): never {
  throw new OperationalError('RUNTIME_CONFIG_INVALID', problem);
}
