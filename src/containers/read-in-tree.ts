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
  let pending = split(encodeByteString(path));
  let trail: DirectoryNode[] = [root];
  let links = 0;
  for (;;) {
    const part = pending.shift();
    const folder = trail.at(-1) ?? root;
    if (part === undefined) return folder;
    if (part === '..') {
      if (trail.length > 1) trail.pop();
      continue;
    }
    const node = folder.entries.get(part);
    if (node === undefined) return undefined;
    if (node.kind === 'directory') {
      trail.push(node);
    } else if (node.kind === 'symlink') {
      if (++links > MAX_LINKS) throw tooManyLinks(path);
      pending = [...split(node.target), ...pending];
      if (node.target.startsWith('/')) trail = [root];
    } else return pending.length === 0 ? node : undefined;
  }
}

/**
 * Where a path leads in an image, links followed as a process inside the root would, as far as there is something, and on as it is
 * written; undefined where that has no UTF-8 name. A path that is another one by this has a link on its way, or is one.
 *
 * @throws {@link OperationalError} IMAGE_CONFIG_INVALID if there are too many links
 */
export function realPathInTree(root: DirectoryNode, path: string): string | undefined {
  let pending = split(encodeByteString(path));
  let trail: { readonly name: string; readonly node: TreeNode | undefined }[] = [];
  let links = 0;
  for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
    if (part === '..') {
      trail.pop();
      continue;
    }
    const folder = trail.length === 0 ? root : trail.at(-1)?.node;
    const node = folder?.kind === 'directory' ? folder.entries.get(part) : undefined;
    if (node?.kind !== 'symlink') {
      trail.push({ name: part, node });
      continue;
    }
    if (++links > MAX_LINKS) throw tooManyLinks(path);
    pending = [...split(node.target), ...pending];
    if (node.target.startsWith('/')) trail = [];
  }
  const bytes = Buffer.from(`/${trail.map(({ name }) => name).join('/')}`, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}

/** Whether there is a link on the way to a path of an image, or in its place: on the host that leads elsewhere. */
export function isLinkedInTree(root: DirectoryNode, path: string): boolean {
  return realPathInTree(root, path) !== realPathInTree({ ...root, entries: new Map() }, path);
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
