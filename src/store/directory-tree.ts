import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type BigIntStats,
} from 'node:fs';

import { quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { DirectoryNode, FileNode, NodeMeta, TreeNode } from '../layer/tree.js';
import { openInRoot, readFileInRoot } from '../sys/open-in-root.js';
import { listXattrs, listXattrsAt, procPath } from '../sys/xattrs.js';
import type { ImageTree } from './image-store.js';
import type { KnownDigests } from './known-digests.js';

/** An {@link ImageTree} over a directory, to be closed. */
export interface DirectoryTree extends ImageTree, Disposable {}

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;

/** How a directory is looked at. */
export interface DirectoryTreeOptions {
  /** A file that the disk cannot give, or that fs-verity says was changed there, has the digest of nothing instead of throwing. */
  readonly toleratesBadDisk?: boolean;
  /** Files that were read already, here or in another directory, are not read again. */
  readonly known?: KnownDigests | undefined;
}

/** In the place of a digest. */
const UNREADABLE = 'unreadable';

/**
 * A directory on disk as the tree of an image: a root file system that somebody made, or a checkout. Folders are read when
 * they are first looked into and files hashed when their digest is asked for, so that looking at a few costs no walk over
 * all. Every open is by descriptor inside the root, and no link is followed: where paths lead is for whoever walks the tree.
 *
 * @throws `OperationalError` SYSTEM_CALL_FAILED; reading throws the same, where the directory changes meanwhile
 */
export function openDirectoryTree(path: string, options: DirectoryTreeOptions = {}): DirectoryTree {
  return onError(path, () => {
    const rootFd = openSync(path, DIRECTORY);
    try {
      return new OpenDirectoryTree(path, rootFd, options);
    } catch (error) {
      closeSync(rootFd);
      throw error;
    }
  });
}

class OpenDirectoryTree implements DirectoryTree {
  readonly root: DirectoryNode;
  readonly #path: string;
  readonly #rootFd: number;
  readonly #paths = new WeakMap<FileNode, string>();
  /** Files with several names, by device and inode. */
  readonly #linked = new Map<string, TreeNode>();
  readonly #toleratesBadDisk: boolean;
  readonly #known: KnownDigests | undefined;
  #closed = false;

  constructor(
    path: string,
    rootFd: number,
    { toleratesBadDisk = false, known }: DirectoryTreeOptions,
  ) {
    this.#toleratesBadDisk = toleratesBadDisk;
    this.#known = known;
    this.#path = path;
    this.#rootFd = rootFd;
    const meta = metaOf(fstatSync(rootFd, { bigint: true }), listXattrs(rootFd));
    this.root = this.#directory('', meta);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects and does not throw
  async readFile(node: FileNode, options: { readonly maxBytes: number }): Promise<Buffer> {
    const path = this.#paths.get(node);
    if (path === undefined) throw new Error('internal error: a file of another tree');
    return onError(this.#path, () =>
      readFileInRoot(this.#rootFd, path, { ...options, nofollow: true }),
    );
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#rootFd);
  }

  #directory(path: string, meta: NodeMeta): DirectoryNode {
    const read = (): Map<string, TreeNode> => onError(this.#path, () => this.#entries(path));
    let entries: ReadonlyMap<string, TreeNode> | undefined;
    return {
      kind: 'directory',
      meta,
      get entries() {
        entries ??= read();
        return entries;
      },
    };
  }

  #entries(path: string): Map<string, TreeNode> {
    const entries = new Map<string, TreeNode>();
    const fd = openInRoot(this.#rootFd, path, { flags: DIRECTORY, noSymlinks: true });
    try {
      for (const name of readdirSync(`/proc/self/fd/${fd}`, 'latin1').sort()) {
        const node = this.#node({ dirFd: fd, name }, path === '' ? name : `${path}/${name}`);
        if (node !== undefined) entries.set(name, node);
      }
    } finally {
      closeSync(fd);
    }
    return entries;
  }

  #node(at: { readonly dirFd: number; readonly name: string }, path: string): TreeNode | undefined {
    const place = Buffer.from(procPath(at), 'latin1');
    const stat = lstatSync(place, { bigint: true });
    const key = `${stat.dev}:${stat.ino}`;
    const known = this.#linked.get(key);
    if (known !== undefined) return known;
    const meta = metaOf(stat, listXattrsAt(at));
    if (stat.isDirectory()) return this.#directory(path, meta);
    const node = this.#leaf({ stat, meta, place }, path);
    if (node !== undefined && stat.nlink > 1n) this.#linked.set(key, node);
    return node;
  }

  #leaf(
    found: { readonly stat: BigIntStats; readonly meta: NodeMeta; readonly place: Buffer },
    path: string,
  ): TreeNode | undefined {
    const { stat, meta, place } = found;
    if (stat.isFile()) return this.#file(path, { meta, stat });
    if (stat.isSymbolicLink()) {
      return { kind: 'symlink', meta, target: readlinkSync(place, 'latin1') };
    }
    const kind = stat.isFIFO()
      ? 'fifo'
      : stat.isCharacterDevice()
        ? 'character-device'
        : stat.isBlockDevice()
          ? 'block-device'
          : undefined; // a socket: nothing that an image can have
    if (kind === undefined) return undefined;
    const { rdev } = stat;
    return {
      kind,
      meta,
      major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn)),
      minor: Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn & 0xffffffffn)),
    };
  }

  #file(
    path: string,
    { meta, stat }: { readonly meta: NodeMeta; readonly stat: BigIntStats },
  ): FileNode {
    const hash = (): string =>
      this.#known?.find(stat) ?? onError(this.#path, () => this.#hash(path));
    let contentSha256: string | undefined;
    const node: FileNode = {
      kind: 'file',
      meta,
      size: Number(stat.size),
      get contentSha256() {
        contentSha256 ??= hash();
        return contentSha256;
      },
    };
    this.#paths.set(node, path);
    return node;
  }

  #hash(path: string): string {
    const fd = openInRoot(this.#rootFd, path, { nofollow: true, regularOnly: true });
    try {
      const before = this.#known === undefined ? undefined : fstatSync(fd, { bigint: true });
      const sha256 = hashOfFile(fd);
      // What has no other name is not met again.
      if (before !== undefined && before.nlink > 1n) this.#known?.add(before, sha256);
      return sha256;
    } catch (error) {
      if (this.#toleratesBadDisk && isErrno(error, 'EIO')) return UNREADABLE;
      throw error;
    } finally {
      closeSync(fd);
    }
  }
}

function hashOfFile(fd: number): string {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(256 * 1024);
  for (;;) {
    const count = readSync(fd, piece, 0, piece.length, null);
    if (count === 0) return hash.digest('hex');
    hash.update(piece.subarray(0, count));
  }
}

function metaOf(stat: BigIntStats, xattrs: NodeMeta['xattrs']): NodeMeta {
  const nanoseconds = ((stat.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return {
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtimeSeconds: Number((stat.mtimeNs - nanoseconds) / 1_000_000_000n),
    mtimeNanoseconds: Number(nanoseconds),
    xattrs,
  };
}

function onError<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) {
      throw new OperationalError('SYSTEM_CALL_FAILED', `cannot read the directory ${quote(path)}`, {
        cause: error,
      });
    }
    throw error;
  }
}
