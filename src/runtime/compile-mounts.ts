import { posix } from 'node:path';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { RuntimeConfig, RuntimeMount } from '../oci/runtime-config.js';
import { formatMap, type CompiledNamespaces } from './compile-namespaces.js';
import {
  OPTIONAL_BIND_SOURCES,
  type BindSource,
  type LaunchPlanOptions,
  type MountPoint,
} from './launch-plan.js';
import {
  findLentFolders,
  lentAbove,
  normaliseSource,
  shortenRun,
  type LentFolders,
} from './lent-binds.js';
import {
  MOUNT_ATTR,
  PROPAGATION,
  mergeAttributes,
  parseMountOptions,
  type MountOptions,
} from './mount-options.js';
import { partsOfHost } from './parts-of-host.js';
import type { Instruction } from './plan-format.js';

/** Most mounts: each bind holds a descriptor at launch, and a service may open 1024 by default. */
const MAX_MOUNTS = 512;

const BIND_RECURSIVE = 1;
const BIND_OPTIONAL = 2;
const BIND_IDMAPPED = 4;

/** Mounts in order, and what has to be there for them. */
export interface CompiledMounts {
  readonly instructions: readonly Instruction[];
  /** For after the last mount: file systems that are read-only, but take mount points of others before. */
  readonly sealing: readonly Instruction[];
  readonly bindSources: readonly BindSource[];
  readonly hostMounts: readonly { source: string; destination: string; readonly: boolean }[];
  readonly mountPoints: readonly MountPoint[];
  /** Whether /dev is a file system of the container's own, which berth fills. */
  readonly ownDev: boolean;
  /** Whether the host's /run is bound to /run. */
  readonly sharesRun: boolean;
  readonly writableCgroup: boolean;
  /** Adds a place that something else is mounted on; gives nothing if a mount above it makes it at launch. */
  mountPoint(path: string, kind: MountPoint['kind']): readonly MountPoint[];
}

/** File systems of the kernel that SELinux labels by rules of its own. */
const UNLABELLED = new Set(['proc', 'sysfs', 'cgroup', 'cgroup2', 'mqueue', 'securityfs', 'bpf']);

/** What the mounts are compiled with. */
export interface MountContext {
  readonly mountLabel: string | undefined;
  readonly namespaces: CompiledNamespaces;
  readonly options: LaunchPlanOptions;
  warn(warning: string): void;
}

/**
 * Compiles the mounts of a config.json, in its order.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID, RUNTIME_UNSUPPORTED
 */
export function compileMounts(config: RuntimeConfig, context: MountContext): CompiledMounts {
  if (config.mounts.length > MAX_MOUNTS) refuse(`there are more than ${MAX_MOUNTS} mounts`);
  const compiler = new MountCompiler(context, config.mounts);
  const destinations = config.mounts.map((mount, index) =>
    normaliseInRoot(mount.destination, `mounts[${index}].destination`),
  );
  if (!destinations.includes('/dev')) compiler.add(DEFAULT_DEV, { destination: '/dev', index: -1 });
  for (const [index, mount] of config.mounts.entries()) {
    compiler.add(mount, { destination: destinations[index] ?? '/', index });
  }
  return compiler.finish();
}

/** The specification asks for default devices; a read-only root has no place for them but a file system of its own. */
const DEFAULT_DEV: RuntimeMount = {
  destination: '/dev',
  type: 'tmpfs',
  source: 'tmpfs',
  options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  uidMappings: [],
  gidMappings: [],
};

/** An absolute path inside the root, without `.`, `..` and needless slashes. Drafts allowed paths without the first one. */
export function normaliseInRoot(path: string, at: string): string {
  if (path.split('/').includes('..'))
    refuse(`${at}: refusing ${quote(path)}, it has a '..' component`);
  const normal = posix.normalize(`/${path}`).replace(/^\/+/, '/');
  if (Buffer.byteLength(normal) > 4000) refuse(`${at}: the path is too long`);
  return normal.length > 1 ? normal.replace(/\/$/, '') : normal;
}

class MountCompiler {
  readonly #context: MountContext;
  readonly #instructions: Instruction[] = [];
  readonly #sealing: Instruction[] = [];
  readonly #bindSources: BindSource[] = [];
  readonly #hostMounts: { source: string; destination: string; readonly: boolean }[] = [];
  readonly #mountPoints: MountPoint[] = [];
  readonly #mounted: string[] = [];
  readonly #ignoredOnBinds = new Map<string, number>();
  #ownDev = false;
  #sharesRun = false;
  #writableCgroup = false;

  readonly #lent: LentFolders;

  constructor(context: MountContext, mounts: readonly RuntimeMount[]) {
    this.#context = context;
    this.#lent = findLentFolders(mounts, context.options);
  }

  add(mount: RuntimeMount, place: { destination: string; index: number }): void {
    const { destination, index } = place;
    const options = parseMountOptions(mount.options);
    const type = mount.type ?? (options.bind === 'none' ? undefined : 'bind');
    if (destination === '/') refuse(`mounts[${index}]: refusing to mount over the root`);
    const isBind = options.bind !== 'none' || type === 'bind' || type === 'rbind';
    this.#checkMappings(mount, { index, options, isBind });
    if (options.remount) this.#remount(destination, options);
    else if (options.bind !== 'none' || type === 'bind' || type === 'rbind') {
      this.#addBind(mount, {
        ...place,
        options: type === 'rbind' ? { ...options, bind: 'rbind' } : options,
      });
    } else if (type === undefined) refuse(`mounts[${index}]: there is no type`);
    else if (type === 'cgroup' || type === 'cgroup2')
      this.#addCgroup(mount, { destination, options });
    else if (type === 'sysfs' && this.#needsHostSys()) this.#addHostSys(mount, place);
    else if (type === 'proc' && this.#needsHostProc()) this.#addHostProc(mount, place);
    else this.#addFileSystem(type, { destination, options, source: mount.source });
    this.#mounted.push(destination);
  }

  #checkMappings(
    mount: RuntimeMount,
    { index, options, isBind }: { index: number; options: MountOptions; isBind: boolean },
  ): void {
    const own = mount.uidMappings.length > 0;
    if (options.idmap === 'none' && !own) return;
    if (!isBind) {
      unsupported(`mounts[${index}]: owners can be mapped on bind mounts alone`);
    }
    if (!own && !this.#context.namespaces.isNew('user')) {
      refuse(
        `mounts[${index}]: 'idmap' needs mappings, or a user namespace of the container's own`,
      );
    }
  }

  /** Changes what is mounted there already; its file system stays as it is. */
  #remount(destination: string, options: MountOptions): void {
    const isUser = this.#context.options.user !== undefined;
    const { set, clear } = mergeAttributes(isUser ? keepLocked(options) : options);
    for (const option of options.data) this.#ignore(option);
    this.#instructions.push(['REMOUNT', destination, set, clear & ~set]);
  }

  #ignore(option: string): void {
    this.#ignoredOnBinds.set(option, (this.#ignoredOnBinds.get(option) ?? 0) + 1);
  }

  finish(): CompiledMounts {
    for (const [option, count] of this.#ignoredOnBinds) {
      const where = count === 1 ? 'one bind mount' : `${count} bind mounts`;
      this.#context.warn(`option ${quote(option)} of ${where} means nothing there, ignoring`);
    }
    return {
      instructions: this.#instructions,
      sealing: this.#sealing,
      bindSources: this.#bindSources,
      hostMounts: this.#hostMounts,
      mountPoints: this.#mountPoints,
      ownDev: this.#ownDev,
      sharesRun: this.#sharesRun,
      writableCgroup: this.#writableCgroup,
      mountPoint: (path, kind) => this.#mountPointOf({ path, kind }),
    };
  }

  #addBind(
    mount: RuntimeMount,
    place: { destination: string; index: number; options: MountOptions },
  ): void {
    const { destination, index, options } = place;
    if (mount.source === undefined) refuse(`mounts[${index}]: a bind mount needs a source`);
    const source = normaliseSource(mount.source, {
      rootfs: this.#context.options.rootfs,
      at: `mounts[${index}].source`,
    });
    const optional = (this.#context.options.optionalBindSources ?? OPTIONAL_BIND_SOURCES).includes(
      source,
    );
    const readonly =
      (mergeAttributes(options).set & MOUNT_ATTR.rdonly) !== 0 &&
      !this.#lent.remounted.has(destination);
    for (const option of options.data) this.#ignore(option);
    const own = mount.uidMappings.length > 0;
    const folder = lentAbove(this.#lent, source);
    if (folder !== undefined) this.#instructions.push(['BENEATH', folder]);
    this.#pushBind(
      folder === undefined ? source : shortenRun(source),
      destination,
      own ? { ...options, idmap: 'none' } : options,
    );
    if (own) {
      this.#instructions.push([
        'MAP_BIND',
        formatMap(mount.uidMappings),
        formatMap(mount.gidMappings),
        options.idmap === 'ridmap' ? 1 : 0,
      ]);
    }
    this.#bindSources.push({ path: source, optional, readonly });
    this.#hostMounts.push({ source, destination, readonly });
    this.#mountPoints.push(
      ...this.#mountPointOf({ path: destination, kind: 'like-source', source }),
    );
    if (destination === '/run' && source === '/run') this.#sharesRun = true;
    if (destination === '/dev') this.#ownDev = false;
  }

  #pushBind(source: string, destination: string, wanted: MountOptions): void {
    const options = this.#context.options.user === undefined ? wanted : keepLocked(wanted);
    const optional = this.#isOptional(source) ? BIND_OPTIONAL : 0;
    this.#instructions.push([
      'BIND',
      source,
      destination,
      (options.bind === 'rbind' ? BIND_RECURSIVE : 0) |
        optional |
        (options.idmap === 'none' ? 0 : BIND_IDMAPPED),
      options.attributes.set,
      options.attributes.clear,
      options.recursive.set,
      options.recursive.clear,
      // What is not said to be shared is private: runtime-spec leaves it open, crun and runc do so.
      options.propagation === 0 ? (PROPAGATION['private'] ?? 0) : options.propagation,
    ]);
  }

  #isOptional(source: string): boolean {
    return (this.#context.options.optionalBindSources ?? OPTIONAL_BIND_SOURCES).includes(source);
  }

  /**
   * With a cgroup namespace of its own on a version 2 host a container gets its part of the hierarchy. Otherwise it sees
   * the host's, and never writes to it (CVE-2023-25809).
   */
  #addCgroup(mount: RuntimeMount, place: { destination: string; options: MountOptions }): void {
    const { destination, options } = place;
    const readonly = (options.attributes.set & MOUNT_ATTR.rdonly) !== 0;
    if (this.#context.namespaces.isNew('cgroup') && this.#context.options.cgroupVersion !== 1) {
      this.#writableCgroup ||= !readonly;
      this.#addFileSystem('cgroup2', {
        destination,
        options: { ...options, data: [] },
        source: mount.source,
      });
      return;
    }
    if (!readonly) {
      this.#context.warn(
        `${destination} is mounted read-only: without a cgroup namespace (version 2) it is the whole host's`,
      );
    }
    const recursive = { set: options.attributes.set | MOUNT_ATTR.rdonly, clear: 0 };
    this.#pushBind('/sys/fs/cgroup', destination, { ...options, bind: 'rbind', recursive });
    this.#mountPoints.push(...this.#mountPointOf({ path: destination, kind: 'directory' }));
  }

  #addFileSystem(
    type: string,
    mount: { destination: string; options: MountOptions; source: string | undefined },
  ): void {
    const { destination, options, source } = mount;
    this.#instructions.push(['FILE_SYSTEM', type]);
    if (source !== undefined) {
      this.#instructions.push(['OPTION', 'source', source]);
    }
    for (const option of options.data) {
      const equals = option.indexOf('=');
      const [key, value] =
        equals < 0 ? [option, ''] : [option.slice(0, equals), option.slice(equals + 1)];
      if (key === 'tmpcopyup')
        unsupported(`${destination}: the option 'tmpcopyup' is not supported`);
      this.#instructions.push(['OPTION', key, value]);
    }
    this.#labelContent(type);
    // A tmpfs takes the mount points of what comes after it; only then can it become read-only.
    // Nothing is below a new mount: what holds for all of it holds for itself.
    const { set } = mergeAttributes(options);
    const later = type === 'tmpfs' && (set & MOUNT_ATTR.rdonly) !== 0;
    const attributes = later ? set & ~MOUNT_ATTR.rdonly : set;
    this.#instructions.push(['MOUNT', destination, attributes, options.propagation]);
    if (later) this.#sealing.push(['READ_ONLY_MOUNT', destination]);
    for (const { path, ...part } of partsOfHost(type, { source, options })) {
      const folder = lentAbove(this.#lent, path);
      if (folder !== undefined) {
        refuse(
          `${destination}: refusing a file system of ${quote(path)}, a link in ${quote(folder)} could lead anywhere`,
        );
      }
      this.#hostMounts.push({ source: part.source, destination, readonly: part.readonly });
    }
    this.#mountPoints.push(...this.#mountPointOf({ path: destination, kind: 'directory' }));
    if (destination === '/dev') this.#ownDev = true;
  }

  /** Whoever runs a container himself gets the label that he asks for, or is refused; a service has it where there is SELinux. */
  #labelContent(type: string): void {
    const { mountLabel, options } = this.#context;
    if (mountLabel === undefined || UNLABELLED.has(type)) return;
    this.#instructions.push(
      options.standalone === true
        ? ['OPTION', 'context', mountLabel]
        : ['LABEL', 'context', mountLabel, '/sys/fs/selinux'],
    );
  }

  /** sysfs belongs to a network namespace: the host's cannot be mounted from within a user namespace. */
  #needsHostSys(): boolean {
    const { namespaces, options } = this.#context;
    if (namespaces.has('user')) return !namespaces.isNew('network');
    return options.confined !== undefined && !namespaces.has('network');
  }

  /** A /proc shows a pid namespace, and only the user namespace that owns that can mount it. */
  #needsHostProc(): boolean {
    const { namespaces, options } = this.#context;
    if (namespaces.isNew('user')) return !namespaces.isNew('pid');
    return options.confined !== undefined && !namespaces.has('pid');
  }

  #addHostProc(mount: RuntimeMount, place: { destination: string; index: number }): void {
    const options = parseMountOptions(['rbind', 'nosuid', 'noexec', 'nodev']);
    this.#addBind({ ...mount, source: '/proc' }, { ...place, options });
  }

  #addHostSys(mount: RuntimeMount, place: { destination: string; index: number }): void {
    if (this.#context.options.user === undefined) {
      this.#context.warn(
        `${place.destination} is the host's, read-only: the network is the host's, the user namespace is not`,
      );
    }
    const options = parseMountOptions(['rbind', 'rro', 'nosuid', 'noexec', 'nodev']);
    this.#addBind({ ...mount, source: '/sys' }, { ...place, options });
  }

  /** Below another mount the place is made at launch: in the root itself nothing can be. */
  #mountPointOf(point: MountPoint): readonly MountPoint[] {
    const covered = this.#mounted.some((mounted) => point.path.startsWith(`${mounted}/`));
    const known = this.#mounted.includes(point.path);
    return covered || known ? [] : [point];
  }
}

/**
 * What an ordinary user can ask of a bind: nothing that is forbidden where it comes from is allowed, times of access stay as they
 * are, and what is mounted below comes with it, held by the same rules (mount_namespaces(7), "locked").
 */
function keepLocked(options: MountOptions): MountOptions {
  const set = options.attributes.set & ~ACCESS_TIMES;
  const recursive = { set: (set | options.recursive.set) & ~ACCESS_TIMES, clear: 0 };
  return { ...options, bind: 'rbind', attributes: { set, clear: 0 }, recursive };
}

/** Attributes that say when times of access are kept. */
const ACCESS_TIMES = MOUNT_ATTR.atimeMask | MOUNT_ATTR.nodiratime;

function refuse(problem: string): never {
  throw new OperationalError('RUNTIME_CONFIG_INVALID', problem);
}

function unsupported(problem: string): never {
  throw new OperationalError('RUNTIME_UNSUPPORTED', problem);
}
