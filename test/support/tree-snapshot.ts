import { createHash } from 'node:crypto';
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

import { isErrno } from '../../src/errors/is-errno.js';
import { runCommand } from './run-command.js';

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
  const visit = (path: string): void => {
    if (except.has(path)) return;
    const status = lstatSync(join(root, path), { bigint: true });
    const text = describe(join(root, path), status, options);
    snapshot.set(path, text + (attributes.get(path) ?? ''));
    if (!status.isDirectory()) return;
    for (const name of readdirSync(join(root, path)).sort()) {
      // Private temporary folders of services have a new name at each boot.
      if (name.startsWith('systemd-private-')) continue;
      const below = path === '' ? name : `${path}/${name}`;
      try {
        visit(below);
      } catch (error) {
        // A service that runs took it away meanwhile.
        if (!isErrno(error, 'ENOENT')) throw error;
        snapshot.delete(below);
      }
    }
  };
  visit('');
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

function describe(path: string, status: BigIntStats, options: SnapshotOptions): string {
  const mode = (status.mode & 0o7777n).toString(8).padStart(4, '0');
  const common = `${mode} ${status.uid}:${status.gid}`;
  const times = options.withTimes === true ? ` at ${status.mtimeNs}` : '';
  if (status.isSymbolicLink()) return `link ${common} to ${readlinkSync(path)}${times}`;
  // A folder's link count is the number of its sub-folders on some file systems and always 1 on others.
  if (status.isDirectory()) return `folder ${common}${times}`;
  const links = `links ${status.nlink}`;
  if (status.isFile()) {
    return `file ${common} ${links} ${status.size} bytes ${contentHash(path, status)}${times}`;
  }
  const kind = status.isFIFO() ? 'fifo' : status.isSocket() ? 'socket' : `device ${status.rdev}`;
  return `${kind} ${common} ${links}${times}`;
}

/** Hashes of files by what tells one state of a file from every other: nothing sets back the time of a change. */
const hashes = new Map<string, string>();

/** A file that changed later than this before it was read may change again and have the same time. */
const SETTLED_MS = 1000n;

function contentHash(path: string, status: BigIntStats): string {
  const { dev, ino, size, ctimeNs } = status;
  const state = `${dev} ${ino} ${size} ${ctimeNs}`;
  const known = hashes.get(state);
  if (known !== undefined) return known;
  const isSettled = BigInt(Date.now()) - ctimeNs / 1_000_000n > SETTLED_MS;
  const hash = createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16);
  if (isSettled) hashes.set(state, hash);
  return hash;
}

/** Extended attributes by relative path, as getfattr prints them. */
async function attributesBelow(root: string): Promise<ReadonlyMap<string, string>> {
  const options = ['--recursive', '--physical', '--no-dereference', '--dump', '--match=-'];
  const { status, stdout, stderr } = await runCommand(
    ['getfattr', ...options, '--encoding=hex', '.'],
    { cwd: root, env: { ...process.env, LC_ALL: 'C' } },
  );
  // What a service that runs took away meanwhile has none.
  const isKnown = stderr.split('\n').every((line) => /^$|: No such file or directory$/.test(line));
  if (status !== 0 && !isKnown) throw new Error(`getfattr ended with ${status}: ${stderr}`);
  const found = new Map<string, string>();
  for (const block of stdout.split('\n\n')) {
    const [head = '', ...lines] = block.split('\n').filter((line) => line !== '');
    const path = head.replace(/^# file: /, '').replace(/^\.\/?/, '');
    if (head !== '') found.set(path, ` ${lines.join(' ')}`);
  }
  return found;
}
