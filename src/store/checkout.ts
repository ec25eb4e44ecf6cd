import { closeSync, constants, fstatSync } from 'node:fs';

import { OperationalError } from '../errors/operational-error.js';
import { showBytes } from '../layer/show-bytes.js';
import type {
  DirectoryNode,
  FileNode,
  NodeMeta,
  SpecialNode,
  SymlinkNode,
  TreeNode,
} from '../layer/tree.js';
import {
  chmodAt,
  chownAt,
  linkAt,
  mkdirAt,
  mknodAt,
  openAt,
  setTimeAt,
  symlinkAt,
} from '../sys/at.js';
import type { At } from '../sys/libc.js';
import { setXattrAt } from '../sys/xattrs.js';
import { applyMeta, isPrivileged } from './apply-meta.js';
import type { FileContents } from './file-contents.js';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Entries between two looks at the event loop: some 10 ms of work, so that a signal is heard and a display moves. */
const ENTRIES_AT_ONCE = 4096;
/** Copying this much takes about as long as making an entry does. */
const BYTES_AS_ENTRY = 16 * 1024;

const S_ISGID = 0o2000;

/** What a {@link Checkout} works with. */
export interface CheckoutPlace {
  readonly contents: FileContents;
  /** The directory that is filled: empty. */
  readonly rootFd: number;
  readonly devices: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Where an entry was made: a directory's way up, by names. */
interface Frame {
  readonly parent: Frame | undefined;
  readonly name: string;
}

/**
 * Writes a tree into an empty directory that nobody else can reach. Everything is named relative to the directory that it
 * stands in, which was just made and opened, so that no link is ever walked through.
 */
export class Checkout {
  readonly #place: CheckoutPlace;
  /** What was made here and has no object that gives its names one inode. */
  readonly #made = new Map<TreeNode, Frame>();
  /** Who owns what is made here, if that is certain: nothing on the way gives its group on (setgid, mount option grpid). */
  readonly #bornOwner: { readonly uid: number | undefined; readonly gid: number } | undefined;
  #sinceYield = 0;
  files = 0;
  directories = 0;
  copiedBytes = 0;

  constructor(place: CheckoutPlace) {
    this.#place = place;
    const { gid, mode } = fstatSync(place.rootFd);
    const ownGid = process.getegid?.();
    this.#bornOwner =
      gid === ownGid && (mode & S_ISGID) === 0
        ? { uid: process.geteuid?.(), gid: ownGid }
        : undefined;
  }

  async run(root: DirectoryNode): Promise<void> {
    await this.#fill(root, { fd: this.#place.rootFd, frame: undefined });
    applyMeta(this.#place.rootFd, root.meta);
  }

  /** Makes one thing in the directory, with all that is in it; the directory's own metadata is the caller's to set. */
  async make(name: string, node: TreeNode): Promise<void> {
    const entries = new Map([[name, node]]);
    await this.#fill({ entries }, { fd: this.#place.rootFd, frame: undefined });
  }

  /** A directory's own metadata comes after its content: making entries changes its time, and its mode may forbid them. */
  async #fill(
    directory: Pick<DirectoryNode, 'entries'>,
    at: { readonly fd: number; readonly frame: Frame | undefined },
  ): Promise<void> {
    for (const [name, node] of directory.entries) {
      this.#sinceYield += 1;
      if (this.#sinceYield > ENTRIES_AT_ONCE) await this.#yield();
      if (node.kind === 'directory') await this.#directory(node, { dirFd: at.fd, name }, at.frame);
      else if (node.kind === 'file') this.#file(node, { dirFd: at.fd, name }, at.frame);
      else this.#make(node, { dirFd: at.fd, name }, at.frame);
    }
  }

  async #directory(node: DirectoryNode, at: At, frame: Frame | undefined): Promise<void> {
    mkdirAt(at, 0o700);
    const fd = openAt(at, DIRECTORY);
    try {
      if (node.entries.size > 0)
        await this.#fill(node, { fd, frame: { parent: frame, name: at.name } });
      applyMeta(fd, node.meta, { owner: this.#isOwned(node.meta) });
    } finally {
      closeSync(fd);
    }
    this.directories += 1;
  }

  #file(node: FileNode, at: At, frame: Frame | undefined): void {
    // Empty ones are copied: all empty files of a host would be names of one inode, and ext4 allows 65,000 of them.
    if (node.size > 0 && this.#place.contents.link(node, at)) this.files += 1;
    else this.#make(node, at, frame);
  }

  /** Makes what is not linked from the store; a further name of what was made here is a link to the first. */
  #make(node: Exclude<TreeNode, DirectoryNode>, at: At, frame: Frame | undefined): void {
    this.files += 1;
    const first = this.#made.get(node);
    if (first !== undefined) {
      this.#linkFirst(first, at);
      return;
    }
    if (node.kind === 'file') this.#copyFile(node, at);
    else if (node.kind === 'symlink') this.#symlink(node, at);
    else this.#special(node, at);
    this.#made.set(node, { parent: frame, name: at.name });
  }

  #copyFile(node: FileNode, at: At): void {
    const to = openAt(at, NEW_FILE, 0o600);
    try {
      if (node.size > 0) {
        this.copiedBytes += this.#place.contents.copy(node, to);
        this.#sinceYield += node.size / BYTES_AS_ENTRY;
      }
      applyMeta(to, node.meta, { owner: this.#isOwned(node.meta) });
    } finally {
      closeSync(to);
    }
  }

  #symlink(node: SymlinkNode, at: At): void {
    symlinkAt(node.target, at);
    this.#metaOfSpecial(node, at);
  }

  #special(node: SpecialNode, at: At): void {
    const isDevice = node.kind !== 'fifo';
    if (isDevice && !this.#place.devices) {
      throw new OperationalError(
        'LAYER_ENTRY_REFUSED',
        `refusing to make the device ${showBytes(at.name)} (${node.major}:${node.minor}) of the image`,
      );
    }
    const type =
      node.kind === 'fifo'
        ? constants.S_IFIFO
        : node.kind === 'block-device'
          ? constants.S_IFBLK
          : constants.S_IFCHR;
    mknodAt(at, { mode: type | 0o600, major: node.major, minor: node.minor });
    if (isPrivileged()) chownAt(at, node.meta.uid, node.meta.gid);
    chmodAt(at, node.meta.mode); // made just now, in a directory that is ours: it is no link
    this.#metaOfSpecial(node, at);
  }

  /** Without opening it: a device's driver would hear of it, and a FIFO wait. */
  #metaOfSpecial(node: SymlinkNode | SpecialNode, at: At): void {
    const { meta } = node;
    if (isPrivileged()) {
      if (node.kind === 'symlink' && !this.#isOwned(meta)) chownAt(at, meta.uid, meta.gid);
      for (const xattr of meta.xattrs) setXattrAt(at, xattr);
    }
    setTimeAt(at, { seconds: meta.mtimeSeconds, nanoseconds: meta.mtimeNanoseconds });
  }

  #isOwned(meta: NodeMeta): boolean {
    return meta.uid === this.#bornOwner?.uid && meta.gid === this.#bornOwner.gid;
  }

  #linkFirst(first: Frame, at: At): void {
    const names: string[] = [];
    for (let frame = first.parent; frame !== undefined; frame = frame.parent)
      names.push(frame.name);
    // Component by component: as one path it may be longer than the kernel takes.
    let dirFd = this.#place.rootFd;
    try {
      for (let name = names.pop(); name !== undefined; name = names.pop()) {
        const next = openAt({ dirFd, name }, DIRECTORY);
        if (dirFd !== this.#place.rootFd) closeSync(dirFd);
        dirFd = next;
      }
      linkAt({ dirFd, name: first.name }, at);
    } finally {
      if (dirFd !== this.#place.rootFd) closeSync(dirFd);
    }
  }

  async #yield(): Promise<void> {
    this.#sinceYield = 0;
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#place.signal?.aborted === true) {
      throw new OperationalError('CANCELLED', 'writing the files of the image was interrupted');
    }
  }
}
