import { closeSync, constants, fstatSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { describeErrno } from '../errors/describe-errno.js';
import { isErrno } from '../errors/is-errno.js';
import { encodeByteString } from '../layer/tree.js';
import { openAt, unlinkAt } from '../sys/at.js';
import type { At } from '../sys/libc.js';
import { isSocketInUse } from '../sys/socket-in-use.js';
import { pathsMadeBy, readDeployedUnit, resolveSpecifiers } from './activator-places.js';
import { openFolderWithoutLinks } from './folder-without-links.js';
import type { Host } from './host.js';
import type { Transition, TransitionSide } from './transition.js';

/** What of a deployment says where its sockets are. */
type DeployedUnits = Pick<TransitionSide, 'number' | 'units'>;

/** What the sockets of a deployment make on the host, by path. */
interface SocketFiles {
  readonly sockets: readonly string[];
  /** Links to the sockets, which systemd makes beside them. */
  readonly links: readonly string[];
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
  const { sockets, links } = await socketFilesOf(paths, { name, side: from });
  if (sockets.length === 0) return;
  const staying = await socketFilesOf(paths, { name, side: to });
  const kept = new Set([...staying.sockets, ...staying.links]);
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
  for (const path of links) remove(path, (at) => isLinkTo(at, sockets));
  for (const path of sockets) remove(path, (at) => withSocket(at, (fd) => !isSocketInUse(fd)));
}

/** What uninstalling will find there of the sockets of a deployment. */
export async function findSocketFiles(
  paths: HostPaths,
  deployed: { readonly name: string; readonly side: DeployedUnits },
): Promise<readonly string[]> {
  const { sockets, links } = await socketFilesOf(paths, deployed);
  const found = (path: string, isOurs: (at: At) => boolean): boolean =>
    withParent(paths, path, isOurs) === true;
  return [
    ...sockets.filter((path) => found(path, (at) => withSocket(at, () => true))),
    ...links.filter((path) => found(path, (at) => isLinkTo(at, sockets))),
  ];
}

/** Of templates none: which instances there were, and where these listened, nobody has noted. */
async function socketFilesOf(
  paths: HostPaths,
  { name, side }: { readonly name: string; readonly side: DeployedUnits | undefined },
): Promise<SocketFiles> {
  const sockets: string[] = [];
  const links: string[] = [];
  if (side === undefined) return { sockets, links };
  for (const unit of side.units) {
    if (!unit.endsWith('.socket') || unit.includes('@.')) continue;
    const document = await readDeployedUnit(paths, `${name}.${side.number}`, unit);
    for (const { key, written } of document === undefined ? [] : pathsMadeBy(document)) {
      const list = key === 'Symlinks' ? links : SOCKET_KEYS.has(key) ? sockets : undefined;
      list?.push(resolveSpecifiers(paths, { unit, written }));
    }
  }
  return { sockets, links };
}

const SOCKET_KEYS: ReadonlySet<string> = new Set([
  'ListenStream',
  'ListenDatagram',
  'ListenSequentialPacket',
]);

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

/** False for what is no socket, without opening it. */
function withSocket(at: At, look: (fd: number) => boolean): boolean {
  const fd = openAt(at, O_PATH | constants.O_NOFOLLOW);
  try {
    return fstatSync(fd).isSocket() && look(fd);
  } finally {
    closeSync(fd);
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
