import { callAside, callSync, type AsyncOptions } from './ffi/call.js';
import { tableEntries } from './ffi/hash-table.js';
import { native, type Pointer } from './ffi/library.js';
import { filledSlot, readString, slot, slotPointer, takeString } from './ffi/memory.js';
import { NativeObject } from './ffi/native-object.js';
import { checksumArgument, entryArgument, parseChecksum, type Checksum } from './object-name.js';
import type { Repo } from './repo.js';
import type { TreeChecksums } from './tree.js';
import { checkTreeDepth } from './tree-depth.js';
import { verifyDirectory } from './verify-tree.js';

/** An entry of a {@link MutableTree}. */
export type MutableEntry =
  | { readonly kind: 'file'; readonly checksum: Checksum }
  | { readonly kind: 'directory'; readonly tree: MutableTree };

/**
 * A directory in memory that is being put together: one reference to an `OstreeMutableTree`. Dispose of each one that a
 * function gives. A tree that came from a repository is read level by level as it is walked.
 */
export class MutableTree implements Disposable {
  readonly #handle: NativeObject;
  /** Below the root, which is at 1. */
  readonly #depth: number;

  /** Takes the handle over. Use {@link createMutableTree} or {@link openMutableTree}. */
  constructor(handle: NativeObject, depth = 1) {
    this.#handle = handle;
    this.#depth = depth;
  }

  /** The native object. */
  get handle(): NativeObject {
    return this.#handle;
  }

  /** Says which dirmeta object is this directory's. Every directory needs one before it is written. */
  setMetadata(checksum: Checksum): void {
    this.#resolve();
    native().ostree_mutable_tree_set_metadata_checksum(
      this.#handle.pointer,
      checksumArgument(checksum),
    );
  }

  /** The dirmeta object, if one was set. */
  get metadata(): Checksum | undefined {
    // (transfer none)
    const text = native().ostree_mutable_tree_get_metadata_checksum(this.#handle.pointer);
    return text === null ? undefined : parseChecksum(readString(text));
  }

  /**
   * Puts a file in, in place of one of the same name.
   *
   * @throws {@link OstreeError} if a directory has the name
   */
  replaceFile(name: string, checksum: Checksum): void {
    callSync(
      'ostree_mutable_tree_replace_file',
      this.#handle.pointer,
      entryArgument(name),
      checksumArgument(checksum),
    );
  }

  /** Takes an entry out, a directory with everything below; whether there was one. */
  remove(name: string): boolean {
    if (this.find(name, dispose) === undefined) return false;
    callSync('ostree_mutable_tree_remove', this.#handle.pointer, entryArgument(name), 1);
    return true;
  }

  /**
   * The directory of a name, made if there is none.
   *
   * @throws {@link OstreeError} if a file has the name; {@link OstreeInputError} if it would be too deep
   */
  ensureDirectory(name: string): MutableTree {
    checkTreeDepth(this.#depth + 1);
    const out = slot();
    callSync('ostree_mutable_tree_ensure_dir', this.#handle.pointer, entryArgument(name), out);
    // (transfer full)
    return new MutableTree(new NativeObject(filledSlot(out), 'a tree'), this.#depth + 1);
  }

  /** What `body` makes of the entry of a name; the tree of a directory is disposed of afterwards. */
  find<Result>(name: string, body: (entry: MutableEntry) => Result): Result | undefined {
    const entry = this.#lookup(name);
    if (entry === undefined) return undefined;
    try {
      return body(entry);
    } finally {
      dispose(entry);
    }
  }

  #lookup(name: string): MutableEntry | undefined {
    this.#resolve();
    const argument = entryArgument(name);
    if (!this.#has(argument)) return undefined;
    const file = slot();
    const directory = slot();
    callSync('ostree_mutable_tree_lookup', this.#handle.pointer, argument, file, directory);
    // (transfer full), both
    const checksum = slotPointer(file);
    if (checksum !== undefined)
      return { kind: 'file', checksum: parseChecksum(takeString(checksum)) };
    const handle = new NativeObject(filledSlot(directory), 'a tree');
    const tree = new MutableTree(handle, this.#depth + 1);
    return { kind: 'directory', tree };
  }

  #has(argument: Buffer): boolean {
    const tables = [this.#files(), this.#directories()];
    return tables.some((table) => native().g_hash_table_lookup(table, argument) !== null);
  }

  /** Names and checksums of the files. */
  files(): ReadonlyMap<string, Checksum> {
    this.#resolve();
    const found = new Map<string, Checksum>();
    for (const [name, checksum] of tableEntries(this.#files())) {
      found.set(readString(name), parseChecksum(readString(checksum)));
    }
    return found;
  }

  /** Names of the directories. */
  directories(): readonly string[] {
    this.#resolve();
    return [...tableEntries(this.#directories())].map(([name]) => readString(name));
  }

  /** (transfer none) */
  #files(): Pointer {
    return nonNull(native().ostree_mutable_tree_get_files(this.#handle.pointer));
  }

  /** (transfer none) */
  #directories(): Pointer {
    return nonNull(native().ostree_mutable_tree_get_subdirs(this.#handle.pointer));
  }

  /** Reads a tree that came from a repository, so that its error comes here and not from a later call that cannot fail. */
  #resolve(): void {
    this.#files();
    callSync('ostree_mutable_tree_check_error', this.#handle.pointer);
  }

  [Symbol.dispose](): void {
    this.#handle[Symbol.dispose]();
  }
}

/** An empty directory. */
export function createMutableTree(): MutableTree {
  // (transfer full)
  const pointer = native().ostree_mutable_tree_new();
  return new MutableTree(new NativeObject(nonNull(pointer), 'a tree'));
}

/**
 * The directory that dirtree and dirmeta objects describe; all below it is checked ({@link verifyTree}).
 *
 * @throws {@link OstreeError}, {@link GVariantError}
 */
export function openMutableTree(repo: Repo, tree: TreeChecksums): MutableTree {
  verifyDirectory(repo, tree);
  return nameMutableTree(repo, tree);
}

/** As {@link openMutableTree} for who only writes a commit of it: nothing is read. It must not be walked. */
export function nameMutableTree(repo: Repo, { contents, metadata }: TreeChecksums): MutableTree {
  // (transfer full)
  const pointer = native().ostree_mutable_tree_new_from_checksum(
    repo.handle.pointer,
    checksumArgument(contents),
    checksumArgument(metadata),
  );
  return new MutableTree(new NativeObject(nonNull(pointer), 'a tree'));
}

function dispose(entry: MutableEntry): true {
  if (entry.kind === 'directory') entry.tree[Symbol.dispose]();
  return true;
}

function nonNull(pointer: Pointer | null): Pointer {
  if (pointer === null) throw new Error('internal error: no tree');
  return pointer;
}

/**
 * Writes what is new of a tree, in another thread; gives the `GFile` of its root: (transfer full). The tree must not be used
 * meanwhile.
 */
export async function writeMutableTree(
  repo: Repo,
  tree: MutableTree,
  options: AsyncOptions = {},
): Promise<NativeObject> {
  const out = slot();
  await repo.handle.whileHeld((pointer) =>
    tree.handle.whileHeld((treePointer) =>
      callAside('ostree_repo_write_mtree', [pointer, treePointer, out], options),
    ),
  );
  return new NativeObject(filledSlot(out), 'a tree');
}
