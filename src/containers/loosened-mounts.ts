import { posix } from 'node:path';

import type { RuntimeMount } from '../oci/runtime-config.js';
import {
  MOUNT_ATTR,
  PROPAGATION,
  mergeAttributes,
  parseMountOptions,
  type MountOptions,
} from '../runtime/mount-options.js';

/** A mount of the host or of the kernel: what of, what it lets its container do there, and its words. */
interface Grant {
  readonly key: string;
  readonly rights: ReadonlySet<string>;
  readonly words: string;
}

/** What mounts let a container do that the ones before do not, in a person's words. */
export function newMounts(
  before: readonly RuntimeMount[],
  after: readonly RuntimeMount[],
): readonly string[] {
  const had = before.flatMap(grantsOfMount);
  return after
    .flatMap(grantsOfMount)
    .filter(
      ({ key, rights }) =>
        !had.some((old) => old.key === key && [...rights].every((right) => old.rights.has(right))),
    )
    .map(({ words }) => words);
}

/** What of the host is bound into a container, and whether it may write there. Of several binds of one folder, one is enough for that. */
export function boundFolders(
  mounts: readonly RuntimeMount[],
): ReadonlyMap<string, { readonly isWritable: boolean }> {
  const bound = new Map<string, { readonly isWritable: boolean }>();
  for (const { source = '', options } of mounts) {
    const path = posix.normalize(source);
    const isWritable = (mergeAttributes(parseMountOptions(options)).set & MOUNT_ATTR.rdonly) === 0;
    bound.set(path, { isWritable: isWritable || bound.get(path)?.isWritable === true });
  }
  return bound;
}

/** File systems that show a container nothing but itself. */
const OWN_FILE_SYSTEMS = new Set([
  ...['tmpfs', 'ramfs', 'devpts', 'mqueue'],
  // Without a cgroup namespace of its own it is read-only.
  ...['cgroup', 'cgroup2'],
]);

/** What an attribute takes away. */
const ATTRIBUTES = [
  ['write', MOUNT_ATTR.rdonly],
  ['set-user-ID', MOUNT_ATTR.nosuid],
  ['devices', MOUNT_ATTR.nodev],
  ['run', MOUNT_ATTR.noexec],
  ['follow', MOUNT_ATTR.nosymfollow],
] as const;

function grantsOfMount(mount: RuntimeMount): readonly Grant[] {
  const { destination, source, type = 'bind' } = mount;
  const options = parseMountOptions(mount.options);
  const { set } = mergeAttributes(options);
  const isReadOnly = (set & MOUNT_ATTR.rdonly) !== 0;
  const shown = mount.options.length === 0 ? '' : ` (${mount.options.join(',')})`;
  if (options.remount) {
    const words = `mount at ${destination} changed${shown}`;
    const rights = rightsOf(options).filter((right) => right.startsWith('lifted'));
    if (isReadOnly && rights.length === 0) return [];
    return [{ key: JSON.stringify(['remount', mount]), rights: new Set(), words }];
  }
  if (options.bind !== 'none' || type === 'bind' || type === 'rbind')
    return bindGrants(mount, options);
  const place = posix.normalize(`/${destination}/.`);
  // What is masked of it is so by its place, as in /proc.
  const isUsualSys = type === 'sysfs' && isReadOnly && place === '/sys';
  if (OWN_FILE_SYSTEMS.has(type) || isUsualSys) return [];
  const words = `mount of ${type} ${source ?? ''} at ${destination} (${mount.options.join(',')})`;
  // What is masked and read-only in /proc is so by its place: another one shows all of it.
  return type === 'proc'
    ? [
        {
          key: JSON.stringify([type, place, options.data]),
          rights: new Set(rightsOf(options).filter((right) => right === 'write')),
          words,
        },
      ]
    : [
        {
          key: JSON.stringify([
            'file system',
            type,
            source,
            mount.options,
            type === 'sysfs' && place,
          ]),
          rights: new Set(),
          words,
        },
      ];
}

function bindGrants(mount: RuntimeMount, options: MountOptions): readonly Grant[] {
  const { destination, source, type } = mount;
  const path = posix.normalize(source ?? '').replace(/(?<=.)\/$/, '');
  const isReadOnly = (mergeAttributes(options).set & MOUNT_ATTR.rdonly) !== 0;
  const isDeep = options.bind === 'rbind' || type === 'rbind';
  const below = { attributes: options.recursive, recursive: options.recursive };
  const words = `mount ${path} at ${destination}${isReadOnly ? ', read-only' : ''}`;
  const flags = mount.options.filter((option) => !/^(?:r?bind|ro|rw|r?private)$/.test(option));
  // Maps of its own hold without a word, too.
  const mapped = mount.uidMappings.length > 0 && options.idmap === 'none' ? 'idmap' : options.idmap;
  const grants = [
    {
      key: JSON.stringify(['bind', path, mount.uidMappings, mount.gidMappings, mapped]),
      rights: new Set([
        ...rightsOf(options),
        ...(isDeep ? ['below', ...rightsOf(below).map((right) => `${right} below`)] : []),
      ]),
      words: flags.length === 0 ? words : `${words} (${flags.join(',')})`,
    },
  ];
  const has = (kind: string): boolean => (options.propagation & (PROPAGATION[kind] ?? 0)) !== 0;
  if (!has('shared') && !has('slave')) return grants;
  const shared = has('shared');
  return [
    ...grants,
    {
      key: JSON.stringify(['propagation', path]),
      rights: new Set(shared ? ['to the host', 'from it'] : ['from it']),
      words: shared
        ? `mounts below ${path} reach the host`
        : `mounts that the host makes below ${path} reach the container`,
    },
  ];
}

/** What no attribute takes away; and what is given back, where the host itself has taken it away. */
function rightsOf(options: Pick<MountOptions, 'attributes' | 'recursive'>): readonly string[] {
  const { set, clear } = mergeAttributes(options);
  return ATTRIBUTES.flatMap(([right, flag]) => {
    if ((set & flag) !== 0) return [];
    return (clear & flag) === 0 ? [right] : [right, `lifted ${right}`];
  });
}
