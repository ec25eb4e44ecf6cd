import { isUtf8 } from 'node:buffer';

import { OperationalError } from '../errors/operational-error.js';
import { quote } from '../base/escape-text.js';
import { encodeByteString, type DirectoryNode, type TreeNode } from '../layer/tree.js';
import type { ImageTree } from '../store/image-store.js';

/** Largest account file of an image that is read: a directory service of 20,000 users has 1.5 MB (CVE-2026-47262). */
const MAX_ACCOUNT_BYTES = 2 * 1024 * 1024;

/** As many links as the kernel follows in one path. */
const MAX_LINKS = 40;

/**
 * The text of a file of an image, links followed inside the image; undefined where there is none. Anything but a regular
 * file counts as none: programs of the image would not find accounts there either.
 *
 * @throws {@link OperationalError} LIMIT_EXCEEDED
 */
export async function readTextInTree(tree: ImageTree, path: string): Promise<string | undefined> {
  const node = findInTree(tree.root, path);
  if (node?.kind !== 'file') return undefined;
  return (await tree.readFile(node, { maxBytes: MAX_ACCOUNT_BYTES })).toString('utf8');
}

/** The node that a path leads to, links followed as a process inside the root would; undefined where nothing is. */
export function findInTree(root: DirectoryNode, path: string): TreeNode | undefined {
  return follow(root, path).node;
}

/**
 * Where a path leads in an image, links followed as a process inside the root would, as far as there is something, and on as it is
 * written; undefined where that has no UTF-8 name.
 *
 * @throws {@link OperationalError} IMAGE_CONFIG_INVALID if there are too many links
 */
export function realPathInTree(root: DirectoryNode, path: string): string | undefined {
  const bytes = Buffer.from(`/${follow(root, path).names.join('/')}`, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}

/**
 * Whether a path of an image is a link, or has one on its way that leads elsewhere on the host: to the root, or up above the image's. A
 * relative one inside, as `lib -> usr/lib`, leads the host to the same.
 *
 * @throws {@link OperationalError} IMAGE_CONFIG_INVALID if there are too many links
 */
export function isLinkedInTree(root: DirectoryNode, path: string): boolean {
  return follow(root, path).isLed;
}

interface FollowedPath {
  readonly names: readonly string[];
  /** What is there; undefined where nothing is, or what has to be a folder on the way is none. */
  readonly node: TreeNode | undefined;
  readonly isLed: boolean;
}

function follow(root: DirectoryNode, path: string): FollowedPath {
  let pending = split(encodeByteString(path));
  let trail: { readonly name: string; readonly node: TreeNode | undefined }[] = [];
  let links = 0;
  let isLed = false;
  let isThere = true;
  for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
    const here = trail.length === 0 ? root : trail.at(-1)?.node;
    const folder = here?.kind === 'directory' ? here : undefined;
    isThere &&= folder !== undefined;
    if (part === '..') {
      if (trail.pop() === undefined) isLed = true;
      continue;
    }
    const node = folder?.entries.get(part);
    if (node?.kind !== 'symlink') {
      trail.push({ name: part, node });
      continue;
    }
    if (++links > MAX_LINKS) throw tooManyLinks(path);
    const isAbsolute = node.target.startsWith('/');
    isLed ||= isAbsolute || pending.length === 0;
    pending = [...split(node.target), ...pending];
    if (isAbsolute) trail = [];
  }
  const end = trail.length === 0 ? root : trail.at(-1)?.node;
  return { names: trail.map(({ name }) => name), node: isThere ? end : undefined, isLed };
}

function tooManyLinks(path: string): OperationalError {
  return new OperationalError(
    'IMAGE_CONFIG_INVALID',
    `too many links on the way to ${quote(path)} in the image`,
  );
}

function split(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
