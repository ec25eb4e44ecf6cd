import { lookUp } from '../base/look-up.js';

/** MOUNT_ATTR_* of mount_setattr(2). */
export const MOUNT_ATTR = {
  rdonly: 0x1,
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  noatime: 0x10,
  strictatime: 0x20,
  atimeMask: 0x70,
  nodiratime: 0x80,
  nosymfollow: 0x20_0000,
} as const;

/** MS_* of mount(2) that set propagation. */
export const PROPAGATION: Readonly<Record<string, number>> = {
  unbindable: 0x2_0000,
  private: 0x4_0000,
  slave: 0x8_0000,
  shared: 0x10_0000,
};

/** Attributes to set and to clear. */
export interface AttributeChange {
  readonly set: number;
  readonly clear: number;
}

/** The options of one mount, sorted by what acts on them. */
export interface MountOptions {
  readonly bind: 'none' | 'bind' | 'rbind';
  /** On the mount itself. */
  readonly attributes: AttributeChange;
  /** On the mount and all below it (`rro`, `rnosuid`, …). */
  readonly recursive: AttributeChange;
  /** A value of {@link PROPAGATION}, or 0; and whether for all mounts below too. */
  readonly propagation: number;
  readonly propagationRecursive: boolean;
  readonly idmap: 'none' | 'idmap' | 'ridmap';
  /** Whether what is mounted there already is to be changed. */
  readonly remount: boolean;
  /** What is left: options of the file system, `key=value` or a flag. */
  readonly data: readonly string[];
}

const FLAGS: Readonly<Record<string, AttributeChange>> = {
  ro: { set: MOUNT_ATTR.rdonly, clear: 0 },
  rw: { set: 0, clear: MOUNT_ATTR.rdonly },
  nosuid: { set: MOUNT_ATTR.nosuid, clear: 0 },
  suid: { set: 0, clear: MOUNT_ATTR.nosuid },
  nodev: { set: MOUNT_ATTR.nodev, clear: 0 },
  dev: { set: 0, clear: MOUNT_ATTR.nodev },
  noexec: { set: MOUNT_ATTR.noexec, clear: 0 },
  exec: { set: 0, clear: MOUNT_ATTR.noexec },
  nosymfollow: { set: MOUNT_ATTR.nosymfollow, clear: 0 },
  symfollow: { set: 0, clear: MOUNT_ATTR.nosymfollow },
  nodiratime: { set: MOUNT_ATTR.nodiratime, clear: 0 },
  diratime: { set: 0, clear: MOUNT_ATTR.nodiratime },
  noatime: { set: MOUNT_ATTR.noatime, clear: MOUNT_ATTR.atimeMask },
  strictatime: { set: MOUNT_ATTR.strictatime, clear: MOUNT_ATTR.atimeMask },
  norelatime: { set: MOUNT_ATTR.strictatime, clear: MOUNT_ATTR.atimeMask },
  atime: { set: 0, clear: MOUNT_ATTR.atimeMask },
  relatime: { set: 0, clear: MOUNT_ATTR.atimeMask },
  nostrictatime: { set: 0, clear: MOUNT_ATTR.atimeMask },
};

/** Words of fstab that say what the kernel does anyway, or what mount(8) does. */
const WITHOUT_MEANING = new Set([
  'defaults',
  'async',
  'nomand',
  'loud',
  'silent',
  'nolazytime',
  // The kernel gives files version numbers by itself.
  'iversion',
  'noiversion',
]);

/** File system options that the kernel takes for every type (fs_context.c, common_set_sb_flag). */
const OF_EVERY_TYPE = ['dirsync', 'lazytime', 'mand', 'sync'];

/** All options with a meaning of their own: what is none of these goes to the file system. */
export const MOUNT_OPTION_NAMES: readonly string[] = [
  ...['bind', 'rbind', 'idmap', 'ridmap', 'remount'],
  ...[FLAGS, PROPAGATION].flatMap((table) =>
    Object.keys(table).flatMap((name) => [name, `r${name}`]),
  ),
  ...WITHOUT_MEANING,
  ...OF_EVERY_TYPE,
].sort();

/** Sorts the options of a mount (runtime-spec config.md, "Linux mount options"); later ones win over earlier ones. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  let bind: MountOptions['bind'] = 'none';
  let attributes: AttributeChange = { set: 0, clear: 0 };
  let recursive: AttributeChange = { set: 0, clear: 0 };
  let propagation = 0;
  let propagationRecursive = false;
  let idmap: MountOptions['idmap'] = 'none';
  let remount = false;
  const data: string[] = [];
  for (const option of options) {
    const flag = lookUp(FLAGS, option);
    const deepFlag = option.startsWith('r') ? lookUp(FLAGS, option.slice(1)) : undefined;
    const shallow = lookUp(PROPAGATION, option);
    const deep = option.startsWith('r') ? lookUp(PROPAGATION, option.slice(1)) : undefined;
    if (option === 'bind' || option === 'rbind') bind = option;
    else if (flag !== undefined) attributes = apply(attributes, flag);
    else if (deepFlag !== undefined) recursive = apply(recursive, deepFlag);
    else if (shallow !== undefined || deep !== undefined) {
      propagation = shallow ?? deep ?? 0;
      propagationRecursive = shallow === undefined;
    } else if (option === 'idmap' || option === 'ridmap') idmap = option;
    else if (option === 'remount') remount = true;
    else if (!WITHOUT_MEANING.has(option) && option !== '') data.push(option);
  }
  return {
    bind,
    attributes,
    recursive,
    propagation,
    propagationRecursive,
    idmap,
    remount,
    data,
  };
}

/** Attributes of the mount itself: the recursive ones are set after its own, and win. */
export function mergeAttributes({
  attributes,
  recursive,
}: Pick<MountOptions, 'attributes' | 'recursive'>): AttributeChange {
  return {
    set: (attributes.set & ~recursive.clear) | recursive.set,
    clear: attributes.clear | recursive.clear,
  };
}

function apply(before: AttributeChange, change: AttributeChange): AttributeChange {
  return {
    set: (before.set & ~change.clear) | change.set,
    clear: (before.clear & ~(change.set & ~MOUNT_ATTR.atimeMask)) | change.clear,
  };
}
