import { createHash } from 'node:crypto';

import { GVariantError } from './gvariant/type-string.js';
import { readCommit } from './commit.js';
import type { Checksum, ObjectName } from './object-name.js';
import type { Repo } from './repo.js';
import {
  decodeTree,
  readDirectoryMetadata,
  readMetadataObject,
  type TreeChecksums,
} from './tree.js';
import { checkTreeDepth } from './tree-depth.js';

/**
 * Checks a commit and all metadata below it: every object there, of the content that its name says, well formed, and none
 * too deep. libostree takes the metadata of its own repository on trust: it does not survive all that a bad disk, or
 * another writer, can make of it. Files are not looked at: {@link fsckObject}.
 *
 * @throws {@link OstreeError}, {@link GVariantError}, {@link OstreeInputError}
 */
export function verifyTree(repo: Repo, commit: Checksum): void {
  verifyCommits(repo, [commit]);
}

/** As {@link verifyTree}, of several commits; what they share is looked at once. */
export function verifyCommits(repo: Repo, commits: Iterable<Checksum>): void {
  const seen: Seen = { metadata: new Set(), depths: new Map() };
  for (const checksum of commits) {
    verifyObject(repo, { type: 'commit', checksum });
    verifyDirectories(repo, readCommit(repo, checksum).tree, seen);
  }
}

/** As {@link verifyTree}, of a tree that no commit need have. */
export function verifyDirectory(repo: Repo, tree: TreeChecksums): void {
  verifyDirectories(repo, tree, { metadata: new Set(), depths: new Map() });
}

/** What was looked at already: dirmeta objects, and dirtree objects with the depth that they were found at. */
interface Seen {
  readonly metadata: Set<Checksum>;
  readonly depths: Map<Checksum, number>;
}

function verifyDirectories(repo: Repo, root: TreeChecksums, seen: Seen): void {
  const queue: { readonly tree: TreeChecksums; readonly depth: number }[] = [
    { tree: root, depth: 1 },
  ];
  for (let item = queue.pop(); item !== undefined; item = queue.pop()) {
    const { contents, metadata } = item.tree;
    checkTreeDepth(item.depth);
    if (!seen.metadata.has(metadata)) {
      seen.metadata.add(metadata);
      verifyObject(repo, { type: 'dirmeta', checksum: metadata });
      readDirectoryMetadata(repo, metadata);
    }
    // What was looked at, no deeper than now, need not be again.
    if ((seen.depths.get(contents) ?? 0) >= item.depth) continue;
    seen.depths.set(contents, item.depth);
    const bytes = verifyObject(repo, { type: 'dirtree', checksum: contents });
    for (const below of decodeTree(bytes).directories.values()) {
      queue.push({ tree: below, depth: item.depth + 1 });
    }
  }
}

function verifyObject(repo: Repo, name: ObjectName): Buffer {
  const bytes = readMetadataObject(repo, name);
  if (createHash('sha256').update(bytes).digest('hex') !== name.checksum) {
    throw new GVariantError(`${name.type} object ${name.checksum} is not what its name says`);
  }
  return bytes;
}
