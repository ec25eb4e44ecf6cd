import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

import { runOk } from './run-command.js';

/** Everything about each name of a tree, as one line of text each, by path relative to the tree. */
export type TreeSnapshot = ReadonlyMap<string, string>;

/** Options of {@link snapshotTree}. */
export interface SnapshotOptions {
  /** Paths (relative, no slash in front) that are left out with everything below them. */
  readonly except?: readonly string[];
  /** Whether modification times count too; a folder that lost and got back a name has a new one. */
  readonly withTimes?: boolean;
}

/**
 * Takes down a whole tree: names, types, modes, owners, sizes, link counts, device numbers, link targets, content
 * hashes and extended attributes (POSIX ACLs are among them). Mounts inside are crossed.
 */
export async function snapshotTree(
  root: string,
  options: SnapshotOptions = {},
): Promise<TreeSnapshot> {
  const snapshot = new Map<string, string>();
  const attributes = await attributesBelow(root);
  const except = new Set(options.except ?? []);
  const visit = async (path: string): Promise<void> => {
    if (except.has(path)) return;
    snapshot.set(path, (await describe(join(root, path), options)) + (attributes.get(path) ?? ''));
    if (!(await lstat(join(root, path))).isDirectory()) return;
    for (const name of (await readdir(join(root, path))).sort()) {
      // Private temporary folders of services have a new name at each boot.
      if (name.startsWith('systemd-private-')) continue;
      await visit(path === '' ? name : `${path}/${name}`);
    }
  };
  await visit('');
  return snapshot;
}

/** The differences between two snapshots, a line each: `- ` was there, `+ ` is there now. Empty if they are equal. */
export function compareSnapshots(before: TreeSnapshot, after: TreeSnapshot): readonly string[] {
  const lines: string[] = [];
  for (const path of [...new Set([...before.keys(), ...after.keys()])].sort()) {
    const old = before.get(path);
    const now = after.get(path);
    if (old === now) continue;
    if (old !== undefined) lines.push(`- /${path}: ${old}`);
    if (now !== undefined) lines.push(`+ /${path}: ${now}`);
  }
  return lines;
}

async function describe(path: string, options: SnapshotOptions): Promise<string> {
  const status = await lstat(path, { bigint: true });
  const mode = (status.mode & 0o7777n).toString(8).padStart(4, '0');
  const common = `${mode} ${status.uid}:${status.gid}`;
  const times = options.withTimes === true ? ` at ${status.mtimeNs}` : '';
  if (status.isSymbolicLink()) return `link ${common} to ${await readlink(path)}${times}`;
  // A folder's link count is the number of its sub-folders on some file systems and always 1 on others.
  if (status.isDirectory()) return `folder ${common}${times}`;
  const links = `links ${status.nlink}`;
  if (status.isFile()) {
    return `file ${common} ${links} ${status.size} bytes ${await contentHash(path)}${times}`;
  }
  const kind = status.isFIFO() ? 'fifo' : status.isSocket() ? 'socket' : `device ${status.rdev}`;
  return `${kind} ${common} ${links}${times}`;
}

async function contentHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex').slice(0, 16);
}

/** Extended attributes by relative path, as getfattr prints them. */
async function attributesBelow(root: string): Promise<ReadonlyMap<string, string>> {
  const text = await runOk(
    [
      'getfattr',
      '--recursive',
      '--physical',
      '--no-dereference',
      '--dump',
      '--match=-',
      '--encoding=hex',
      '.',
    ],
    { cwd: root },
  );
  const found = new Map<string, string>();
  for (const block of text.split('\n\n')) {
    const [head = '', ...lines] = block.split('\n').filter((line) => line !== '');
    const path = head.replace(/^# file: /, '').replace(/^\.\/?/, '');
    if (head !== '') found.set(path, ` ${lines.join(' ')}`);
  }
  return found;
}
