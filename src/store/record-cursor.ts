import type { NodeMeta } from '../layer/tree.js';
import type { ByteReader } from './byte-codec.js';
import {
  CONTENT_HASH_BYTES,
  FLAG_NAMED,
  FLAG_OPAQUE,
  Kind,
  placeOf,
  type LayerIndex,
} from './layer-index.js';
import type { LayerLeaf } from './layer-tree.js';

/** A regular file in the bytes of a record, as the store looks for its object: good until the cursor goes on. */
export interface RecordedFile {
  readonly bytes: Buffer;
  /** Where in them the digest of the content stands. */
  readonly contentAt: number;
  /** The same object for files that have the same and follow each other. */
  readonly meta: NodeMeta;
}

/** What stands before the entries of a directory. */
export interface DirectoryHead {
  readonly meta: NodeMeta | undefined;
  readonly opaque: boolean;
  readonly whiteouts: Set<string> | undefined;
  /** How many entries follow. */
  readonly count: number;
}

/**
 * Goes through the file of a layer, entry by entry; what is in a directory follows the directory. It shows where it stands in
 * fields of its own, so that going by costs no memory.
 */
export class RecordCursor implements RecordedFile {
  readonly bytes: Buffer;
  /** Of the entry: that of the node itself where this is one of several names. */
  kind = 0;
  nameAt = 0;
  nameLength = 0;
  /** Of a file. */
  size = 0;
  contentAt = 0;
  readonly #index: LayerIndex;
  readonly #reader: ByteReader;
  /** Where nodes are read whose first name stands elsewhere. */
  readonly #elsewhere: ByteReader;
  /** Of the directory that stands here, or comes next. */
  #directory: number;
  #nextLeaf: number;
  /** Of the node, unless it is a directory. */
  #leaf = 0;
  #restAt = 0;
  #owner = -1;
  #mtimeSeconds = 0;
  #mtimeNanoseconds = 0;
  #meta: NodeMeta | undefined;
  #metaOwner = -1;

  /** Stands before a directory. */
  constructor(index: LayerIndex, directory: number) {
    const { at, firstLeaf } = placeOf(index, directory);
    this.bytes = index.reader.bytes;
    this.#index = index;
    this.#reader = index.reader.at(at);
    this.#elsewhere = index.reader.at(at);
    this.#directory = directory;
    this.#nextLeaf = firstLeaf;
  }

  /** The number of the directory that stands here. */
  get directory(): number {
    return this.#directory;
  }

  /** Owner, mode and times of the entry, unless it is a directory. */
  get meta(): NodeMeta {
    const last = this.#meta;
    const mtimeSeconds = this.#mtimeSeconds;
    const mtimeNanoseconds = this.#mtimeNanoseconds;
    if (
      last?.mtimeSeconds === mtimeSeconds &&
      last.mtimeNanoseconds === mtimeNanoseconds &&
      this.#metaOwner === this.#owner
    )
      return last;
    const owner = this.#index.owners[this.#owner];
    if (owner === undefined) throw new Error('internal error: no such owner in the record');
    // Not `...owner`: that alone took two thirds of the time of reading an image.
    const { mode, uid, gid, xattrs } = owner;
    this.#meta = { mode, uid, gid, mtimeSeconds, mtimeNanoseconds, xattrs };
    this.#metaOwner = this.#owner;
    return this.#meta;
  }

  /** Reads on into the directory that stands here. */
  enter(): DirectoryHead {
    this.#directory += 1;
    const reader = this.#reader;
    const flags = reader.number();
    const isNamed = (flags & FLAG_NAMED) !== 0;
    if (isNamed) this.#readMeta(reader);
    let whiteouts: Set<string> | undefined;
    for (let left = reader.number(); left > 0; left -= 1) {
      whiteouts ??= new Set();
      whiteouts.add(reader.text());
    }
    const meta = isNamed ? this.meta : undefined;
    return { meta, opaque: (flags & FLAG_OPAQUE) !== 0, whiteouts, count: reader.number() };
  }

  /** Goes behind the directory that stands here. */
  pass(): void {
    const { end, endLeaf, next } = placeOf(this.#index, this.#directory);
    this.#reader.position = end;
    this.#nextLeaf = endLeaf;
    this.#directory = next;
  }

  /** Goes to the next entry. */
  next(): void {
    const reader = this.#reader;
    this.nameLength = reader.number();
    this.nameAt = reader.skip(this.nameLength);
    this.kind = reader.number();
    if (this.kind === Kind.directory) return;
    if (this.kind === Kind.again) {
      this.#leaf = reader.number();
      const elsewhere = this.#elsewhere;
      elsewhere.position = this.#index.leaves[this.#leaf] ?? 0;
      this.kind = elsewhere.number();
      this.#readLeaf(elsewhere);
      return;
    }
    this.#leaf = this.#nextLeaf;
    this.#nextLeaf += 1;
    this.#readLeaf(reader);
  }

  name(): string {
    return this.bytes.toString('latin1', this.nameAt, this.nameAt + this.nameLength);
  }

  /** Whether the entry has this name. */
  isNamed(name: string): boolean {
    const { bytes, nameAt, nameLength } = this;
    if (name.length !== nameLength) return false;
    for (let index = 0; index < nameLength; index += 1)
      if (bytes[nameAt + index] !== name.charCodeAt(index)) return false;
    return true;
  }

  /** Whether the node has other names as well. */
  get isShared(): boolean {
    return this.#index.shared.has(this.#leaf);
  }

  /** The node, which is no directory: the same one under each of its names. */
  node(): LayerLeaf {
    const { shared } = this.#index;
    const leaf = this.#leaf;
    if (!shared.has(leaf)) return this.#make();
    const made = shared.get(leaf) ?? this.#make();
    shared.set(leaf, made);
    return made;
  }

  #make(): LayerLeaf {
    const { bytes, kind, size, contentAt } = this;
    const rest = this.#elsewhere;
    rest.position = this.#restAt;
    if (kind === Kind['link-below']) return { kind: 'link-below', target: rest.text() };
    const { meta } = this;
    switch (kind) {
      case Kind.file: {
        const contentSha256 = bytes.toString('hex', contentAt, contentAt + CONTENT_HASH_BYTES);
        return { kind: 'file', meta, size, contentSha256 };
      }
      case Kind.symlink:
        return { kind: 'symlink', meta, target: rest.text() };
      default: {
        const special =
          kind === Kind.fifo
            ? 'fifo'
            : kind === Kind['block-device']
              ? 'block-device'
              : 'character-device';
        return { kind: special, meta, major: rest.number(), minor: rest.number() };
      }
    }
  }

  #readLeaf(reader: ByteReader): void {
    if (this.kind !== Kind['link-below']) this.#readMeta(reader);
    this.#restAt = reader.position;
    if (this.kind === Kind.file) {
      this.size = reader.number();
      this.contentAt = reader.skip(CONTENT_HASH_BYTES);
    } else if (this.kind === Kind.symlink || this.kind === Kind['link-below']) {
      reader.skip(reader.number());
    } else {
      reader.number();
      reader.number();
    }
  }

  #readMeta(reader: ByteReader): void {
    this.#owner = reader.number();
    this.#mtimeSeconds = reader.signed();
    this.#mtimeNanoseconds = reader.number();
  }
}
