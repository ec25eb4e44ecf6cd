import { join } from 'node:path';

import * as ostree from '../../ostree-adapter/index.js';

/*
 * What the hostile tests of the OSTree adapter share: arguments that no caller should pass, and how a row is tried.
 */

/** A checksum of nothing. */
export const zeros = '0'.repeat(64) as ostree.Checksum;
/** An ordinary file. */
export const plain: ostree.RegularFile = { kind: 'file', mode: 0o644, uid: 0, gid: 0, xattrs: [] };
/** An ordinary directory. */
export const directory: ostree.DirectoryMetadata = { mode: 0o755, uid: 0, gid: 0, xattrs: [] };

/** No names of directory entries. */
export const badNames = [
  '',
  '.',
  '..',
  'a/b',
  '/',
  'a\0b',
  '\ud800',
  'x'.repeat(256),
  'ü'.repeat(200),
];
/** No refs. */
export const badRefs = [
  '',
  '/',
  'a/',
  '/a',
  'a//b',
  '.a',
  '-a',
  'a:b',
  'a\n',
  'a b',
  'a\0b',
  '../x',
  'a/../b',
  'x'.repeat(5000),
  'a/'.repeat(3000) + 'a',
  '\udfff',
];
/** No checksums. */
export const badChecksums = [
  '',
  'a',
  '0'.repeat(63),
  '0'.repeat(65),
  'g'.repeat(64),
  'A'.repeat(64),
  `${'0'.repeat(63)}\0`,
  `${'0'.repeat(64)}\n`,
];
/** No paths of repositories. */
export const badPaths = ['', 'a\0b', '\ud800', 'x'.repeat(5000), '/nonexistent/\u0001'];

/** A call, and what it is for. */
export type Row = readonly [what: string, call: () => unknown];

/** Prints a line of the child's answer. */
export function say(line: string): void {
  process.stdout.write(`${line.replaceAll('\n', ' ').slice(0, 200)}\n`);
}

/** Tries a row and says what came of it. */
export async function attempt([what, call]: Row): Promise<void> {
  try {
    await call();
    say(`ok ${what}`);
  } catch (error) {
    if (error instanceof ostree.OstreeInputError) say(`refused ${what}`);
    else if (error instanceof ostree.OstreeError || error instanceof ostree.GVariantError)
      say(`failed ${what}`);
    else if (error instanceof Error && error.constructor === Error)
      say(`closed ${what}: ${error.message}`);
    else say(`unexpected ${what}: ${String(error)}`);
  }
}

/** A repository that was closed. */
export function closedRepo(folder: string): ostree.Repo {
  const repo = ostree.openRepo({ path: join(folder, 'repo') });
  repo[Symbol.dispose]();
  return repo;
}

/** A transaction that was aborted. */
export async function closedTransaction(folder: string): Promise<ostree.Transaction> {
  using repo = ostree.openRepo({ path: join(folder, 'repo') });
  const transaction = await ostree.beginTransaction(repo);
  await transaction.abort();
  return transaction;
}

/** Deeper than libostree's functions can go. */
export function deepTree(depth: number): void {
  const trees = [ostree.createMutableTree()];
  try {
    for (let level = 1; level < depth; level += 1) {
      const below = trees.at(-1)?.ensureDirectory('d');
      if (below !== undefined) trees.push(below);
    }
  } finally {
    for (const tree of trees.reverse()) tree[Symbol.dispose]();
  }
}

/** Writes a commit of a deep tree, and has it checked out. */
export async function deepCommit(
  repo: ostree.Repo,
  transaction: ostree.Transaction,
  { depth, out }: { depth: number; out: string },
): Promise<void> {
  const metadata = transaction.writeDirectoryMetadata(directory);
  let contents = transaction.writeTree({ files: new Map(), directories: new Map() });
  for (let level = 1; level < depth; level += 1) {
    contents = transaction.writeTree({
      files: new Map(),
      directories: new Map([['d', { contents, metadata }]]),
    });
  }
  const commit = await transaction.writeCommit({
    tree: { contents, metadata },
    timestampSeconds: 0,
  });
  await ostree.checkout(repo, { commit, path: out });
}
