import type { DirectoryNode, NodeMeta, TreeNode } from '../layer/tree.js';
import type { ByteReader } from './byte-codec.js';
import { indexLayer, Kind, placeOf, type LayerIndex } from './layer-index.js';
import type { LayerDirectory, LayerNode, LayerTree } from './layer-tree.js';
import { RecordCursor } from './record-cursor.js';

/** Making a node takes as long as going by so many entries. */
const ENTRIES_AS_NODE = 8;

/**
 * The tree in the file of a layer, from its table of owners on. All of it is looked through once; nodes are made where they are
 * asked for, and most never are: who installs an image asks for a few of its directories, and a checkout goes through the bytes.
 * They stay in use.
 *
 * @throws RangeError if the bytes make no sense
 */
export function openRecordedLayer(reader: ByteReader): LayerTree {
  const index = indexLayer(reader);
  return { root: new RecordedDirectory(index, 0), contentBytes: index.contentBytes };
}

/** A directory that no nodes were made of: what the record says, except for what was put into its place. */
export interface RecordedEntries {
  /** Before the first entry. */
  readonly cursor: RecordCursor;
  readonly count: number;
  /** What an entry of the record is now, and what was added; undefined for what was taken away. */
  readonly changed: ReadonlyMap<string, TreeNode | undefined>;
}

/** What a directory of an image is made of; undefined where nodes were made of it, and may have changed. */
export function recordedEntriesOf(directory: DirectoryNode): RecordedEntries | undefined {
  return directory instanceof RecordedDirectory ? directory.open() : undefined;
}

/**
 * A directory in the file of a layer. Its entries can be had and changed one by one; all are made when `entries` is asked for, and
 * that may be changed from then on.
 */
export class RecordedDirectory implements LayerDirectory {
  readonly kind = 'directory';
  meta: NodeMeta | undefined;
  opaque: boolean;
  whiteouts: Set<string> | undefined;
  readonly #index: LayerIndex;
  readonly #number: number;
  readonly #count: number;
  #entries: Map<string, LayerNode> | undefined;
  #changed: Map<string, LayerNode | undefined> | undefined;
  /** Entries that were gone by in search of names. */
  #passed = 0;

  constructor(index: LayerIndex, number: number) {
    this.#index = index;
    this.#number = number;
    const { meta, opaque, whiteouts, count } = new RecordCursor(index, number).enter();
    this.meta = meta;
    this.opaque = opaque;
    this.whiteouts = whiteouts;
    this.#count = count;
  }

  get entries(): Map<string, LayerNode> {
    this.#entries ??= this.#readEntries();
    return this.#entries;
  }

  /** Whether it can be part of an image as the record has it: all directories named, nothing linked to a layer below. */
  get isComplete(): boolean {
    return this.#changed === undefined && placeOf(this.#index, this.#number).isComplete;
  }

  /** How many directories stand below each other in it, as the record has it. */
  get height(): number {
    return placeOf(this.#index, this.#number).height;
  }

  get(name: string): LayerNode | undefined {
    if (this.#entries === undefined && this.#passed > this.#count * ENTRIES_AS_NODE)
      return this.entries.get(name);
    if (this.#entries !== undefined) return this.#entries.get(name);
    if (this.#changed?.has(name) === true) return this.#changed.get(name);
    this.#passed += this.#count;
    const cursor = new RecordCursor(this.#index, this.#number);
    for (let left = cursor.enter().count; left > 0; left -= 1) {
      cursor.next();
      const isDirectory = cursor.kind === Kind.directory;
      if (cursor.isNamed(name)) {
        if (!isDirectory) return cursor.node();
        const directory = new RecordedDirectory(this.#index, cursor.directory);
        this.#change(name, directory); // it may be changed, and has to be the same one then
        return directory;
      }
      if (isDirectory) cursor.pass();
    }
    return undefined;
  }

  set(name: string, node: LayerNode): void {
    if (this.#entries === undefined) this.#change(name, node);
    else this.#entries.set(name, node);
  }

  delete(name: string): void {
    if (this.#entries === undefined) this.#change(name, undefined);
    else this.#entries.delete(name);
  }

  /** See {@link recordedEntriesOf}; of a directory that is part of an image. */
  open(): RecordedEntries | undefined {
    if (this.#entries !== undefined) return undefined;
    const cursor = new RecordCursor(this.#index, this.#number);
    const changed = this.#changed as ReadonlyMap<string, TreeNode | undefined> | undefined;
    return { cursor, count: cursor.enter().count, changed: changed ?? NOTHING };
  }

  #change(name: string, node: LayerNode | undefined): void {
    this.#changed ??= new Map();
    this.#changed.set(name, node);
  }

  #readEntries(): Map<string, LayerNode> {
    const entries = new Map<string, LayerNode>();
    const cursor = new RecordCursor(this.#index, this.#number);
    for (let left = cursor.enter().count; left > 0; left -= 1) {
      cursor.next();
      const name = cursor.name();
      if (cursor.kind === Kind.directory) {
        entries.set(name, new RecordedDirectory(this.#index, cursor.directory));
        cursor.pass();
      } else entries.set(name, cursor.node());
    }
    for (const [name, node] of this.#changed ?? []) {
      if (node === undefined) entries.delete(name);
      else entries.set(name, node);
    }
    this.#changed = undefined;
    return entries;
  }
}

const NOTHING: ReadonlyMap<string, TreeNode | undefined> = new Map();
