import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

import { listXattrsAt } from '../../src/sys/xattrs.js';
import { AT_FDCWD } from '../../src/sys/libc.js';

/** What stands at one path of a directory on disk. */
export interface Listed {
  readonly type: string;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  /** Content of a file or target of a link, as byte string. */
  readonly content: string;
  readonly xattrs: Readonly<Record<string, string>>;
  readonly ino: bigint;
  readonly rdev: number;
}

/** Everything below a directory, by byte-string path relative to it; the directory itself is `.`. No link is followed. */
export function listTree(root: string): Map<string, Listed> {
  const found = new Map<string, Listed>();
  visit(root, '.', found);
  return found;
}

/** `PATH TYPE` lines of a tree, sorted. */
export function treeLines(root: string): string[] {
  return [...listTree(root)]
    .map(([path, { type, content }]) =>
      type === 'symlink'
        ? `${path} -> ${content}`
        : type === 'file'
          ? `${path} = ${content}`
          : `${path} ${type}`,
    )
    .filter((line) => line !== '. directory')
    .sort();
}

/** What stands in a directory, sorted, with the first name of each inode in the place of its number. */
export function withTwins(directory: string): readonly object[] {
  const first = new Map<bigint, string>();
  return [...listTree(directory)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, { ino, ...facts }]) => {
      if (!first.has(ino)) first.set(ino, path);
      return { path, twin: first.get(ino), ...facts };
    });
}

function visit(root: string, path: string, found: Map<string, Listed>): void {
  const full = Buffer.from(`${root}/${path}`, 'latin1');
  const stat = lstatSync(full, { bigint: true });
  const type = stat.isFile()
    ? 'file'
    : stat.isDirectory()
      ? 'directory'
      : stat.isSymbolicLink()
        ? 'symlink'
        : stat.isFIFO()
          ? 'fifo'
          : stat.isCharacterDevice()
            ? 'character-device'
            : 'block-device';
  found.set(path, {
    type,
    mode: (Number(stat.mode) & 0o7777).toString(8),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtimeNs: stat.mtimeNs,
    content:
      type === 'file'
        ? readFileSync(full, 'latin1')
        : type === 'symlink'
          ? readlinkSync(full, 'latin1')
          : '',
    xattrs: Object.fromEntries(
      listXattrsAt({ dirFd: AT_FDCWD, name: `${root}/${path}` }).map(({ name, value }) => [
        name,
        value.toString('latin1'),
      ]),
    ),
    ino: stat.ino,
    rdev: Number(stat.rdev),
  });
  if (type !== 'directory') return;
  for (const name of readdirSync(full, { encoding: 'latin1' })) {
    visit(root, path === '.' ? name : `${path}/${name}`, found);
  }
}
