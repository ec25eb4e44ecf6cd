import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';

import { OperationalError } from '../errors/operational-error.js';
import { decodeByteString, type DirectoryNode, type TreeNode } from '../layer/tree.js';
import { openAt } from '../sys/at.js';
import { removeTreeAt } from '../sys/remove-tree.js';
import { exchangeAt, renameAt } from '../sys/rename.js';
import { syncFileSystemOf } from '../sys/sync.js';
import { aspectsOf } from './compare-trees.js';
import { openDirectoryTree } from './directory-tree.js';
import type { MendResult } from './image-store.js';
import { isMadeMountPoint } from './mount-points.js';
import { applyDirectoryMeta, diskMeta } from './apply-meta.js';
import { Checkout } from './checkout.js';
import type { FileContents } from './file-contents.js';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** What mending works with. */
export interface MendPlace {
  readonly contents: FileContents;
  readonly signal: AbortSignal | undefined;
}

/** See {@link ImageStore.mendCheckout}. */
export async function mendCheckout(
  wanted: DirectoryNode,
  directory: string,
  place: MendPlace,
): Promise<MendResult> {
  using found = openDirectoryTree(directory, { toleratesBadDisk: true });
  const mender = new Mender(place);
  const fd = openSync(directory, DIRECTORY);
  try {
    await mender.directory({ fd, path: '' }, wanted, found.root);
  } finally {
    closeSync(fd);
  }
  if (mender.mended.length > 0) await syncFileSystemOf(directory);
  return { mended: mender.mended, left: mender.left };
}

const AS_CHECKED_OUT = { times: true, isCheckout: true };

/** A folder of the checkout, open. */
interface Place {
  readonly fd: number;
  /** Byte string; `''` is the root. */
  readonly path: string;
}

/** Names of what is being made. */
const TEMPORARY = /^\.berth-mend-[0-9a-f]{12}$/;

class Mender {
  readonly mended: string[] = [];
  readonly left: string[] = [];
  readonly #place: MendPlace;

  constructor(place: MendPlace) {
    this.#place = place;
  }

  async directory(at: Place, wanted: DirectoryNode, found: DirectoryNode): Promise<void> {
    if (this.#place.signal?.aborted === true)
      throw new OperationalError('CANCELLED', 'mending the files was interrupted');
    const isChanged = aspectsOf(wanted, found, AS_CHECKED_OUT).length > 0;
    let isTouched = false;
    for (const [name, node] of wanted.entries) {
      const own = found.entries.get(name);
      if (own?.kind === 'directory' && node.kind === 'directory') {
        await this.#below(at, { name, wanted: node, found: own });
      } else if (own === undefined && !diskMeta().makes(node.kind)) {
        continue; // as whoever checked it out left it
      } else if (own === undefined || aspectsOf(node, own, AS_CHECKED_OUT).length > 0) {
        await this.#remake(at, { name, wanted: node, found: own });
        isTouched = true;
      }
    }
    for (const [name, node] of found.entries) {
      if (wanted.entries.has(name) || isMadeMountPoint(node)) continue;
      if (TEMPORARY.test(name)) {
        removeTreeAt({ dirFd: at.fd, name }); // of a mending that was killed
        isTouched = true;
      } else this.left.push(show(at, name));
    }
    if (isChanged) this.mended.push(at.path === '' ? '/' : decodeByteString(at.path));
    // Renaming in it changed its time.
    if (isChanged || isTouched) applyDirectoryMeta(at.fd, wanted.meta);
  }

  async #below(
    at: Place,
    entry: { readonly name: string; readonly wanted: DirectoryNode; readonly found: DirectoryNode },
  ): Promise<void> {
    const fd = openAt({ dirFd: at.fd, name: entry.name }, DIRECTORY);
    try {
      await this.directory({ fd, path: `${at.path}/${entry.name}` }, entry.wanted, entry.found);
    } finally {
      closeSync(fd);
    }
  }

  /** Made as a checkout makes it, under another name; then renamed over what stands there, if anything does. */
  async #remake(
    at: Place,
    entry: {
      readonly name: string;
      readonly wanted: TreeNode;
      readonly found: TreeNode | undefined;
    },
  ): Promise<void> {
    const temporary = `.berth-mend-${randomBytes(6).toString('hex')}`;
    const from = { dirFd: at.fd, name: temporary };
    const to = { dirFd: at.fd, name: entry.name };
    const { contents, signal } = this.#place;
    const checkout = new Checkout({ contents, rootFd: at.fd, devices: true, signal });
    try {
      await checkout.make(temporary, entry.wanted);
      const folders = [entry.wanted, entry.found].some((node) => node?.kind === 'directory');
      if (folders && entry.found !== undefined) exchangeAt(from, to);
      else renameAt(from, to);
    } finally {
      removeTreeAt(from); // what was exchanged for it, or what was begun
    }
    this.mended.push(show(at, entry.name));
  }
}

function show(at: Place, name: string): string {
  return decodeByteString(`${at.path}/${name}`);
}
