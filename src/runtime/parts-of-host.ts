import { posix } from 'node:path';

import { MOUNT_ATTR, mergeAttributes, type MountOptions } from './mount-options.js';

/** What of the host a mount shows. */
export interface PartOfHost {
  /** In a person's words: a path, or what else it is. */
  readonly source: string;
  /** Where the kernel looks for it, if it is a file or folder. */
  readonly path: string;
  readonly readonly: boolean;
}

/** File systems that are a container's own, or shown by the namespaces that it shares with the host. */
const OWN = new Set(['proc', 'tmpfs', 'devpts', 'mqueue', 'ramfs', 'cgroup', 'cgroup2']);

/**
 * What a mount that is none of a folder shows its container of the host: the device or file that it is of, the folders that an overlay
 * consists of, or a part of the kernel that all share, such as securityfs or binfmt_misc.
 */
export function partsOfHost(
  type: string,
  mount: { readonly source: string | undefined; readonly options: MountOptions },
): readonly PartOfHost[] {
  const { source = 'none', options } = mount;
  const readonly = (mergeAttributes(options).set & MOUNT_ATTR.rdonly) !== 0;
  if (OWN.has(type) || (type === 'sysfs' && readonly)) return [];
  if (type === 'overlay') return options.data.flatMap(partsOfOverlay);
  const path = pathOf(source);
  if (source.startsWith('/')) return [{ source, path, readonly }];
  const named = ['none', 'nodev', type].includes(source) ? type : `${type} of ${source}`;
  return [{ source: named, path, readonly }];
}

/** `lowerdir=A:B`, `lowerdir+=A`, `upperdir=C`; colons in names have backslashes. */
function partsOfOverlay(option: string): readonly PartOfHost[] {
  const [, key = '', value = ''] = /^([a-z]+)\+?=(.*)$/s.exec(option) ?? [];
  if (key === 'upperdir' || key === 'workdir')
    return [{ source: pathOf(value), path: pathOf(value), readonly: false }];
  if (key !== 'lowerdir' && key !== 'datadir') return [];
  return value
    .split(/(?<!\\):+/)
    .filter((folder) => folder !== '')
    .map((folder) => pathOf(folder.replace(/\\(.)/gs, '$1')))
    .map((path) => ({ source: path, path, readonly: true }));
}

/** The launcher works in the root of the host. */
function pathOf(source: string): string {
  return posix.normalize(`/${source}`).replace(/^\/+/, '/');
}
