import { closeSync, constants, fstatSync, openSync, readlinkSync, type Stats } from 'node:fs';
import { basename } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { describeErrno } from '../errors/describe-errno.js';
import { isErrno } from '../errors/is-errno.js';
import { encodeByteString } from '../layer/tree.js';
import { openAt, unlinkAt } from '../sys/at.js';
import type { At } from '../sys/libc.js';
import { isSocketInUse } from '../sys/socket-in-use.js';
import { parseUnitName, templateOf } from '../systemd/unit-name.js';
import { pathsMadeBy, readDeployedUnit, resolveSpecifiers } from './activator-places.js';
import { openFolderWithoutLinks } from './folder-without-links.js';
import type { Host } from './host.js';
import type { Transition, TransitionSide } from './transition.js';

/** What of a deployment says where its sockets are; `up` has the instances of those that are templates. */
type DeployedUnits = Pick<TransitionSide, 'number' | 'units' | 'up'>;

/** What the sockets of a deployment make on the host. */
interface SocketFiles {
  readonly files: readonly SocketFile[];
  /** Links to these, which systemd makes beside them. */
  readonly links: readonly string[];
}

interface SocketFile {
  readonly path: string;
  readonly kind: keyof typeof LEFT;
}

/**
 * Removes the files of sockets that a version of a container had and what follows it has not: systemd leaves them when it stops a
 * socket (systemd.socket(5), RemoveOnStop=), and a later installation would find something in its place. The same call for what
 * goes, what is updated and what is taken back; it may be repeated. Call while the units are stopped, and their deployments there.
 */
export async function removeLeftSockets(
  host: Host,
  { name, from, to }: Pick<Transition, 'name' | 'from' | 'to'>,
): Promise<void> {
  const { paths } = host;
  // Nothing listens in a tree.
  if ((await host.openUnitManager()).kind !== 'dbus') return;
  const up = [...(from?.up ?? []), ...(to?.up ?? [])];
  const { files, links } = await socketFilesOf(paths, { name, side: withInstances(from, up) });
  if (files.length === 0) return;
  const staying = await socketFilesOf(paths, { name, side: withInstances(to, up) });
  const kept = new Set([...pathsOf(staying), ...staying.links]);
  const remove = (path: string, isOurs: (at: At) => boolean): void => {
    if (kept.has(path)) return;
    try {
      withParent(paths, path, (at) => {
        if (isOurs(at)) unlinkAt(at);
      });
    } catch (error) {
      // Nothing hangs on it: a disk that is read-only, or whose server is gone, must not hold up all else for good.
      if (!isErrno(error, 'EROFS', 'EACCES', 'EPERM', 'EIO', 'ENOTCONN', 'ESTALE')) throw error;
      host.onEvent({
        kind: 'warning',
        text: `${quote(path)} stays: ${describeErrno(error)?.message ?? error.message}`,
      });
    }
  };
  for (const path of links) remove(path, (at) => isLinkTo(at, pathsOf({ files })));
  for (const { path, kind } of files)
    remove(path, (at) => withNode(at, kind, (fd) => !LEFT[kind].isInUse(fd)));
}

/** What uninstalling will find there of the sockets of a deployment. */
export async function findSocketFiles(
  paths: HostPaths,
  deployed: { readonly name: string; readonly side: DeployedUnits },
): Promise<readonly string[]> {
  const { files, links } = await socketFilesOf(paths, deployed);
  const found = (path: string, isOurs: (at: At) => boolean): boolean =>
    withParent(paths, path, isOurs) === true;
  return [
    ...files
      .filter(({ path, kind }) => found(path, (at) => withNode(at, kind, () => true)))
      .map(({ path }) => path),
    ...links.filter((path) => found(path, (at) => isLinkTo(at, pathsOf({ files })))),
  ];
}

/** What an instance of one version listened at is kept where it would of the other, too, be it down there. */
function withInstances(
  side: TransitionSide | undefined,
  up: readonly string[],
): DeployedUnits | undefined {
  return side === undefined ? undefined : { ...side, up };
}

function pathsOf({ files }: Pick<SocketFiles, 'files'>): readonly string[] {
  return files.map(({ path }) => path);
}

/** Of templates what the instances made that are known to have been up: where others listened that are down, nobody has noted. */
async function socketFilesOf(
  paths: HostPaths,
  { name, side }: { readonly name: string; readonly side: DeployedUnits | undefined },
): Promise<SocketFiles> {
  const files: SocketFile[] = [];
  const links: string[] = [];
  if (side === undefined) return { files, links };
  for (const unit of side.units) {
    if (!unit.endsWith('.socket')) continue;
    const document = await readDeployedUnit(paths, `${name}.${side.number}`, unit);
    if (document === undefined) continue;
    const units = unit.includes('@.')
      ? new Set(side.up.filter((other) => templateOf(parseUnitName(other)) === unit))
      : [unit];
    for (const instance of units) {
      for (const { key, written } of pathsMadeBy(document)) {
        const path = resolveSpecifiers(paths, { unit: instance, written });
        const kind = key === 'ListenFIFO' ? 'fifo' : SOCKET_KEYS.has(key) ? 'socket' : undefined;
        if (key === 'Symlinks') links.push(path);
        else if (kind !== undefined) files.push({ path, kind });
      }
    }
  }
  return { files, links };
}

const SOCKET_KEYS: ReadonlySet<string> = new Set([
  'ListenStream',
  'ListenDatagram',
  'ListenSequentialPacket',
]);

/** What sockets leave, and whether some program has it by now. */
const LEFT = {
  socket: { is: (stats: Stats) => stats.isSocket(), isInUse: isSocketInUse },
  fifo: { is: (stats: Stats) => stats.isFIFO(), isInUse: isFifoRead },
} as const;

/** Looks at a path by its folder; undefined where there is none: what a link on the way leads to is somebody else's. */
function withParent<T>(paths: HostPaths, path: string, look: (at: At) => T): T | undefined {
  const folder = openFolderWithoutLinks(paths, path);
  if (folder === undefined) return undefined;
  try {
    return look({ dirFd: folder, name: encodeByteString(basename(path)) });
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  } finally {
    closeSync(folder);
  }
}

const O_PATH = 0o10000000;

/** False for what is of another kind, without opening it. */
function withNode(at: At, kind: SocketFile['kind'], look: (fd: number) => boolean): boolean {
  const fd = openAt(at, O_PATH | constants.O_NOFOLLOW);
  try {
    return LEFT[kind].is(fstatSync(fd)) && look(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Whether a program reads from the FIFO that an O_PATH descriptor is of: one that only writes to it has nobody left who reads. A
 * service manager that listens there holds it open for writing itself, and does not see that somebody came and went.
 */
function isFifoRead(fd: number): boolean {
  try {
    closeSync(openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK));
    return true;
  } catch (error) {
    if (isErrno(error, 'ENXIO')) return false;
    throw error;
  }
}

function isLinkTo({ dirFd, name }: At, targets: readonly string[]): boolean {
  try {
    return targets.includes(
      readlinkSync(Buffer.from(`/proc/self/fd/${dirFd}/${name}`, 'latin1'), 'utf8'),
    );
  } catch (error) {
    if (isErrno(error, 'EINVAL')) return false; // it is no link
    throw error;
  }
}
