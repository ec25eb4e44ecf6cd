import { OperationalError } from '../errors/operational-error.js';
import {
  decodeByteString,
  type DirectoryNode,
  type FileNode,
  type TreeNode,
} from '../layer/tree.js';
import { diskMeta } from './apply-meta.js';
import { ROOTS_META } from './disk-meta.js';

/** Changes that are kept of one comparison: enough for a release of a distribution, 1 MB as JSON. The rest is counted. */
const MAX_CHANGES = 10_000;

/** Depth at which a comparison gives up: the store refuses deeper trees, but a folder given with `--rootfs` is anybody's. */
const MAX_DEPTH = 300;

/** What of a file is not the same. */
export type FileAspect =
  'type' | 'content' | 'target' | 'mode' | 'owner' | 'attributes' | 'device' | 'time';

/** One file that two trees do not both have in the same way. */
export interface FileDifference {
  /** Absolute, as text to show: bytes that are not UTF-8 are U+FFFD. */
  readonly path: string;
  readonly change: 'added' | 'removed' | 'changed';
  readonly kind: TreeNode['kind'];
  /** What changed; empty where the file was added or removed. */
  readonly aspects: readonly FileAspect[];
  /** Of a regular file, on the side that has one. */
  readonly bytesBefore: number | undefined;
  readonly bytesAfter: number | undefined;
}

/** How two trees differ. */
export interface TreeDifference {
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  /** Content of all regular files on each side. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** The first ones in the order of paths; the counts are of all. */
  readonly files: readonly FileDifference[];
}

/** Options of {@link compareTrees}. */
export interface CompareOptions {
  /** Whether a time of modification counts: not between two builds of an image, but in a checkout that nobody may write to. */
  readonly times: boolean;
  /** The second tree is a checkout: what only root could have given it is no difference where this process is not root. */
  readonly isCheckout?: boolean;
  /** A file whose content the store has lost differs, instead of ending the comparison. */
  readonly toleratesDamage?: boolean;
  /** Says that something which only the second tree has is no difference. */
  readonly isExpected?: (path: string, node: TreeNode) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Compares two trees by name, type, content, mode, owner and attributes. A folder that only one side has counts with
 * everything in it.
 *
 * @throws {@link OperationalError} LIMIT_EXCEEDED for a tree that is too deep; what reading the trees throws
 */
export async function compareTrees(
  before: DirectoryNode,
  after: DirectoryNode,
  options: CompareOptions,
): Promise<TreeDifference> {
  const comparison = new Comparison(options);
  await comparison.pair({ path: '', depth: 0 }, before, after);
  return comparison.result();
}

/** Entries between two looks at the event loop. */
const ENTRIES_AT_ONCE = 1024;

interface Place {
  readonly path: string;
  readonly depth: number;
}

class Comparison {
  readonly #options: CompareOptions;
  readonly #files: FileDifference[] = [];
  #counts = { added: 0, removed: 0, changed: 0 };
  #bytesBefore = 0;
  #bytesAfter = 0;
  #sinceYield = 0;

  constructor(options: CompareOptions) {
    this.#options = options;
  }

  result(): TreeDifference {
    return {
      ...this.#counts,
      bytesBefore: this.#bytesBefore,
      bytesAfter: this.#bytesAfter,
      files: this.#files,
    };
  }

  async pair(place: Place, before: TreeNode, after: TreeNode): Promise<void> {
    const { path, depth } = place;
    await this.#step(depth);
    this.#bytesBefore += sizeOf(before) ?? 0;
    this.#bytesAfter += sizeOf(after) ?? 0;
    const aspects = aspectsOf(before, after, this.#options);
    if (aspects.length > 0) this.#add(path, 'changed', { before, after, aspects });
    const old = before.kind === 'directory' ? before.entries : NOTHING;
    const now = after.kind === 'directory' ? after.entries : NOTHING;
    const names = [...new Set([...old.keys(), ...now.keys()])].sort();
    for (const name of names) {
      const inBefore = old.get(name);
      const inAfter = now.get(name);
      const own = { path: `${path}/${name}`, depth: depth + 1 };
      if (inBefore !== undefined && inAfter !== undefined) await this.pair(own, inBefore, inAfter);
      else if (inBefore !== undefined) {
        if (this.#isMade(inBefore)) await this.#oneSided(own, 'removed', inBefore);
      } else if (inAfter !== undefined && this.#options.isExpected?.(own.path, inAfter) !== true)
        await this.#oneSided(own, 'added', inAfter);
    }
  }

  #isMade({ kind }: TreeNode): boolean {
    return this.#options.isCheckout !== true || diskMeta().makes(kind);
  }

  async #oneSided(place: Place, change: 'added' | 'removed', node: TreeNode): Promise<void> {
    const { path, depth } = place;
    await this.#step(depth);
    if (change === 'added') this.#bytesAfter += sizeOf(node) ?? 0;
    else this.#bytesBefore += sizeOf(node) ?? 0;
    this.#add(path, change, change === 'added' ? { after: node } : { before: node });
    if (node.kind !== 'directory') return;
    for (const name of [...node.entries.keys()].sort()) {
      const inner = node.entries.get(name);
      if (inner === undefined) continue;
      await this.#oneSided({ path: `${path}/${name}`, depth: depth + 1 }, change, inner);
    }
  }

  #add(
    path: string,
    change: FileDifference['change'],
    what: {
      readonly before?: TreeNode;
      readonly after?: TreeNode;
      readonly aspects?: readonly FileAspect[];
    },
  ): void {
    this.#counts = { ...this.#counts, [change]: this.#counts[change] + 1 };
    if (this.#files.length >= MAX_CHANGES) return;
    this.#files.push({
      path: path === '' ? '/' : decodeByteString(path),
      change,
      kind: (what.after ?? what.before)?.kind ?? 'file',
      aspects: what.aspects ?? [],
      bytesBefore: sizeOf(what.before),
      bytesAfter: sizeOf(what.after),
    });
  }

  async #step(depth: number): Promise<void> {
    if (depth > MAX_DEPTH) {
      throw new OperationalError(
        'LIMIT_EXCEEDED',
        `a tree is more than ${MAX_DEPTH} folders deep, refusing to compare it`,
      );
    }
    if (++this.#sinceYield < ENTRIES_AT_ONCE) return;
    this.#sinceYield = 0;
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#options.signal?.aborted === true) {
      throw new OperationalError('CANCELLED', 'comparing the files was interrupted');
    }
  }
}

const NOTHING: ReadonlyMap<string, TreeNode> = new Map();

function sizeOf(node: TreeNode | undefined): number | undefined {
  return node?.kind === 'file' ? node.size : undefined;
}

/**
 * What of two nodes of one name is not the same; of folders, what is in them does not count. The digest comes last: of a
 * folder on disk, asking for it reads the file.
 */
export function aspectsOf(
  before: TreeNode,
  after: TreeNode,
  options: Pick<CompareOptions, 'times' | 'isCheckout' | 'toleratesDamage'>,
): readonly FileAspect[] {
  if (before === after) return [];
  if (before.kind !== after.kind) return ['type'];
  const aspects: FileAspect[] = [];
  const { meta } = before;
  const other = after.meta;
  const onDisk = options.isCheckout === true ? diskMeta() : ROOTS_META;
  const hasAll = onDisk.isWhole;
  if (onDisk.modeOf(before.kind, meta.mode) !== other.mode && before.kind !== 'symlink')
    aspects.push('mode');
  if (hasAll && (meta.uid !== other.uid || meta.gid !== other.gid)) aspects.push('owner');
  const counting = hasAll ? IMAGES_ATTRIBUTES : USERS_ATTRIBUTES;
  if (!sameAttributes(meta.xattrs, other.xattrs, counting)) aspects.push('attributes');
  const sameTime =
    meta.mtimeSeconds === other.mtimeSeconds && meta.mtimeNanoseconds === other.mtimeNanoseconds;
  if (options.times && !sameTime) aspects.push('time');
  if (before.kind === 'symlink' && after.kind === 'symlink' && before.target !== after.target)
    aspects.push('target');
  if (
    'major' in before &&
    'major' in after &&
    (before.major !== after.major || before.minor !== after.minor)
  )
    aspects.push('device');
  if (
    before.kind === 'file' &&
    after.kind === 'file' &&
    (before.size !== after.size || !sameContent(before, after, options))
  )
    aspects.unshift('content');
  return aspects;
}

function sameContent(
  before: FileNode,
  after: FileNode,
  { toleratesDamage }: Pick<CompareOptions, 'toleratesDamage'>,
): boolean {
  try {
    return before.contentSha256 === after.contentSha256;
  } catch (error) {
    const isDamage = error instanceof OperationalError && error.code === 'STORE_INVALID';
    if (toleratesDamage === true && isDamage) return false;
    throw error;
  }
}

type Attributes = TreeNode['meta']['xattrs'];

/** Attributes that images bring; the host adds its own to files (SELinux, IMA). */
const IMAGES_ATTRIBUTES = /^(?:security\.capability$|user\.|trusted\.)/;
/** Those of them that anybody may set. */
const USERS_ATTRIBUTES = /^user\./;

function sameAttributes(before: Attributes, after: Attributes, counting: RegExp): boolean {
  const ours = (all: Attributes): string =>
    all
      .filter(({ name }) => counting.test(name))
      .map(({ name, value }) => `${name}=${value.toString('hex')}`)
      .join(' ');
  return ours(before) === ours(after);
}
