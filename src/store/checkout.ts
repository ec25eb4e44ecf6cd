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
import { linkAt, mkdirAt, mknodAt, openAt, symlinkAt } from '../sys/at.js';
import type { At } from '../sys/libc.js';
import { applyDirectoryMeta, applyMeta, diskMeta } from './apply-meta.js';
import { CheckoutAside } from './checkout-aside.js';
import type { FileContents } from './file-contents.js';
import { Kind } from './layer-index.js';
import { IMPLIED_META } from './layer-tree.js';
import type { RecordCursor } from './record-cursor.js';
import { recordedEntriesOf, type RecordedEntries } from './recorded-layer.js';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Entries between two looks at the event loop: some 10 ms of work, so that a signal is heard and a display moves. */
const ENTRIES_AT_ONCE = 4096;
/** The same where another thread links, which is to have its answers heard: it takes batches of so many. */
const ENTRIES_BESIDE = 512;
/** Copying this much takes about as long as making an entry does. */
const BYTES_AS_ENTRY = 16 * 1024;

const S_ISGID = 0o2000;
/** NAME_MAX: no file system takes longer names. */
const MAX_NAME_BYTES = 255;

/** What a {@link Checkout} works with. */
export interface CheckoutPlace {
  readonly contents: FileContents;
  /** The directory that is filled: empty. */
  readonly rootFd: number;
  readonly devices: boolean;
  readonly signal: AbortSignal | undefined;
}

/** A directory that is filled. */
interface Filled {
  readonly fd: number;
  readonly frame: Frame | undefined;
}

/** Where an entry was made: a directory's way up, by names. */
interface Frame {
  readonly parent: Frame | undefined;
  readonly name: string;
}

const NOTHING: ReadonlyMap<string, TreeNode> = new Map();

/** In the place of where an entry was made: nothing will be linked to it. */
const ALONE: Frame = { parent: undefined, name: '' };

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
  readonly #name = Buffer.alloc(MAX_NAME_BYTES + 1);
  readonly #aside: CheckoutAside<Frame | undefined> | undefined;
  readonly #entriesAtOnce: number;
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
    const links = place.contents.aside?.();
    this.#aside =
      links &&
      new CheckoutAside<Frame | undefined>(links, ({ node, at, frame }, isMade) => {
        if (isMade) this.files += 1;
        else this.#file(node, at, frame);
      });
    this.#entriesAtOnce = links === undefined ? ENTRIES_AT_ONCE : ENTRIES_BESIDE;
  }

  async run(root: DirectoryNode): Promise<void> {
    await this.#whole(this.#fillWith(root, { fd: this.#place.rootFd, frame: undefined }));
    applyDirectoryMeta(this.#place.rootFd, root.meta);
  }

  /** Makes one thing in the directory, with all that is in it; the directory's own metadata is the caller's to set. */
  async make(name: string, node: TreeNode): Promise<void> {
    const entries = new Map([[name, node]]);
    await this.#whole(this.#fill({ entries }, { fd: this.#place.rootFd, frame: undefined }));
  }

  /** Until the other thread has done with it, too: nothing that it works in may be closed, or given up, before. */
  async #whole(filling: Promise<void>): Promise<void> {
    await filling.finally(() => this.#aside?.settle());
    this.#aside?.throwIfFailed();
  }

  #fillWith(directory: DirectoryNode, at: Filled): Promise<void> {
    const recorded = recordedEntriesOf(directory);
    return recorded === undefined ? this.#fill(directory, at) : this.#fillRecorded(recorded, at);
  }

  /** A directory's own metadata comes after its content: making entries changes its time, and its mode may forbid them. */
  async #fill(directory: Pick<DirectoryNode, 'entries'>, at: Filled): Promise<void> {
    for (const [name, node] of directory.entries) {
      this.#sinceYield += 1;
      if (this.#sinceYield > this.#entriesAtOnce) await this.#yield();
      if (node.kind === 'file' && node.size > 0 && this.#aside !== undefined)
        if (this.#aside.add({ node, at: { dirFd: at.fd, name }, frame: at.frame })) continue;
      const made = this.#entry(name, node, at);
      if (made !== undefined) await made;
    }
  }

  /** A promise for a directory alone: there are many files. */
  #entry(name: string, node: TreeNode, { fd: dirFd, frame }: Filled): Promise<void> | undefined {
    if (node.kind === 'directory')
      return this.#directory(node.meta, { dirFd, name }, (fd) =>
        this.#fillWith(node, { fd, frame: { parent: frame, name } }),
      );
    if (node.kind === 'file') this.#file(node, { dirFd, name }, frame);
    else this.#make(node, { dirFd, name }, frame);
    return undefined;
  }

  /** {@link Checkout.#fill} without making nodes of what is linked to the store. The cursor ends behind the directory. */
  async #fillRecorded({ cursor, count, changed }: RecordedEntries, at: Filled): Promise<void> {
    for (let left = count; left > 0; left -= 1) {
      this.#sinceYield += 1;
      if (this.#sinceYield > this.#entriesAtOnce) await this.#yield();
      cursor.next();
      if (changed.size > 0 && changed.has(cursor.name())) {
        if (cursor.kind === Kind.directory) cursor.pass();
        continue;
      }
      if (this.#linkRecorded(cursor, at.fd)) continue;
      const name = cursor.name();
      if (cursor.kind === Kind.directory) {
        const { meta = IMPLIED_META, count: inside } = cursor.enter();
        await this.#directory(meta, { dirFd: at.fd, name }, (fd) =>
          this.#fillRecorded(
            { cursor, count: inside, changed: NOTHING },
            { fd, frame: { parent: at.frame, name } },
          ),
        );
        continue;
      }
      const node = cursor.node();
      if (node.kind === 'link-below')
        throw new Error('internal error: a link to a layer below in the tree of an image');
      const frame = cursor.isShared ? at.frame : ALONE;
      if (node.kind === 'file') this.#file(node, { dirFd: at.fd, name }, frame);
      else this.#make(node, { dirFd: at.fd, name }, frame);
    }
    for (const [name, node] of changed) if (node !== undefined) await this.#entry(name, node, at);
  }

  #linkRecorded(cursor: RecordCursor, dirFd: number): boolean {
    const { bytes, nameAt, nameLength } = cursor;
    if (cursor.kind !== Kind.file || cursor.size === 0 || nameLength > MAX_NAME_BYTES) return false;
    const name = this.#name;
    for (let index = 0; index < nameLength; index += 1) name[index] = bytes[nameAt + index] ?? 0;
    name[nameLength] = 0;
    if (this.#place.contents.linkRecorded?.(cursor, { dirFd, name }) !== true) return false;
    this.files += 1;
    return true;
  }

  async #directory(meta: NodeMeta, at: At, fill: (fd: number) => Promise<void>): Promise<void> {
    mkdirAt(at, 0o700);
    const fd = openAt(at, DIRECTORY);
    const added = this.#aside?.added;
    let isFilled = false;
    const finish = (): void => {
      try {
        if (isFilled) applyDirectoryMeta(fd, meta, { owner: this.#isOwned(meta) });
      } finally {
        closeSync(fd);
      }
    };
    try {
      await fill(fd);
      isFilled = true;
    } finally {
      if (this.#aside?.added === added) finish();
      else this.#aside?.after(finish);
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
    if (!diskMeta().makes(node.kind)) return;
    this.files += 1;
    const first = this.#made.get(node);
    if (first !== undefined) {
      this.#linkFirst(first, at);
      return;
    }
    if (node.kind === 'file') this.#copyFile(node, at);
    else if (node.kind === 'symlink') this.#symlink(node, at);
    else this.#special(node, at);
    if (frame !== ALONE) this.#made.set(node, { parent: frame, name: at.name });
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
    diskMeta().applyToSpecial(at, node, { owner: this.#isOwned(node.meta) });
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
    diskMeta().applyToSpecial(at, node, {});
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
