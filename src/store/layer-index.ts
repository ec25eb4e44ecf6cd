import type { NodeMeta, Xattr } from '../layer/tree.js';
import type { ByteReader } from './byte-codec.js';
import type { LayerLeaf } from './layer-tree.js';
import { MAX_TREE_DEPTH } from './walk-tree.js';

/** What stands before a node in the file of a layer. */
export const Kind = {
  directory: 1,
  file: 2,
  symlink: 3,
  'character-device': 4,
  'block-device': 5,
  fifo: 6,
  again: 7,
  'link-below': 8,
} as const;

/** Flag of a directory: an entry of the archive names it. */
export const FLAG_NAMED = 1;
/** Flag of a directory: it hides all that the layers below have there. */
export const FLAG_OPAQUE = 2;

/** Bytes of the digest of a file's content. */
export const CONTENT_HASH_BYTES = 32;

/** What many nodes have in common. */
export type Owner = Pick<NodeMeta, 'mode' | 'uid' | 'gid' | 'xattrs'>;

/** A directory in the file of its layer. */
export interface DirectoryPlace {
  /** Of its flags. */
  readonly at: number;
  /** Number of its first node that is no directory. */
  readonly firstLeaf: number;
  /** Behind its last entry. */
  readonly end: number;
  /** Number of the first node behind it that is no directory. */
  readonly endLeaf: number;
  /** Number of the directory behind it and all that is in it. */
  readonly next: number;
  /** Whether all directories from here on have metadata of their own, and nothing is linked to a layer below. */
  readonly isComplete: boolean;
  /** How many directories stand below each other in it. */
  readonly height: number;
}

/** Where everything stands in the file of a layer, which is sound: nothing in it makes a cursor throw. */
export interface LayerIndex {
  readonly reader: ByteReader;
  readonly owners: readonly Owner[];
  /** By number: each before what is in it, and that before its next sibling. */
  readonly directories: readonly DirectoryPlace[];
  /** Where nodes stand that are no directories, by number: in the order of their first names. */
  readonly leaves: readonly number[];
  /** By number: those that have several names, and are one node all the same. Undefined until it is made. */
  readonly shared: Map<number, LayerLeaf | undefined>;
  readonly contentBytes: number;
}

/** Where a directory stands, by its number. */
export function placeOf(index: LayerIndex, directory: number): DirectoryPlace {
  const place = index.directories[directory];
  if (place === undefined) throw new Error('internal error: no such directory in the record');
  return place;
}

/**
 * Looks through the file of a layer from its table of owners on.
 *
 * @throws RangeError if the bytes make no sense
 */
export function indexLayer(reader: ByteReader): LayerIndex {
  const owners = readOwners(reader);
  const scan = new Scan(reader, owners.length);
  scan.directory(0);
  const contentBytes = reader.number();
  if (!reader.isAtEnd) throw new RangeError('something follows the tree');
  const { directories, leaves, shared } = scan;
  return { reader, owners, directories, leaves, shared, contentBytes };
}

function readOwners(reader: ByteReader): Owner[] {
  const owners: Owner[] = [];
  for (let left = reader.count(); left > 0; left -= 1) {
    const [mode, uid, gid] = [reader.number(), reader.number(), reader.number()];
    const xattrs: Xattr[] = [];
    for (let more = reader.count(); more > 0; more -= 1) {
      xattrs.push({ name: reader.text(), value: Buffer.from(reader.blob()) });
    }
    owners.push({ mode, uid, gid, xattrs });
  }
  return owners;
}

const DOT = 0x2e;
const SLASH = 0x2f;

class Scan {
  readonly directories: DirectoryPlace[] = [];
  readonly leaves: number[] = [];
  readonly shared = new Map<number, undefined>();
  readonly #reader: ByteReader;
  readonly #ownerCount: number;

  constructor(reader: ByteReader, ownerCount: number) {
    this.#reader = reader;
    this.#ownerCount = ownerCount;
  }

  directory(depth: number): DirectoryPlace {
    if (depth > MAX_TREE_DEPTH) throw new RangeError('the tree is too deep');
    const reader = this.#reader;
    const place = {
      at: reader.position,
      firstLeaf: this.leaves.length,
      ...{ end: 0, endLeaf: 0, next: 0, isComplete: true, height: 0 },
    };
    this.directories.push(place);
    place.isComplete = (reader.number() & FLAG_NAMED) !== 0;
    if (place.isComplete) this.#meta();
    for (let left = reader.count(); left > 0; left -= 1) this.#name();
    for (let left = reader.count(); left > 0; left -= 1) {
      this.#name();
      const at = reader.position;
      const kind = reader.number();
      if (kind === Kind.directory) {
        const child = this.directory(depth + 1);
        place.height = Math.max(place.height, child.height + 1);
        if (!child.isComplete) place.isComplete = false;
      } else if (kind === Kind.again) this.#again(reader.number());
      else {
        this.leaves.push(at);
        if (kind === Kind['link-below']) place.isComplete = false;
        this.#leaf(kind);
      }
    }
    place.end = reader.position;
    place.endLeaf = this.leaves.length;
    place.next = this.directories.length;
    return place;
  }

  #again(number: number): void {
    const at = this.leaves[number];
    if (at === undefined) throw new RangeError('a hard link to nothing');
    this.shared.set(number, undefined);
  }

  #leaf(kind: number): void {
    const reader = this.#reader;
    if (kind === Kind['link-below']) {
      reader.blob();
      return;
    }
    this.#meta();
    switch (kind) {
      case Kind.file:
        reader.number();
        reader.skip(CONTENT_HASH_BYTES);
        break;
      case Kind.symlink:
        reader.skip(reader.number());
        break;
      case Kind['character-device']:
      case Kind['block-device']:
      case Kind.fifo:
        reader.number();
        reader.number();
        break;
      default:
        throw new RangeError('an entry of an unknown kind');
    }
  }

  #meta(): void {
    const reader = this.#reader;
    if (reader.number() >= this.#ownerCount) throw new RangeError('an entry without an owner');
    reader.number();
    reader.number();
  }

  /** The one place where names come from the disk: what is no name would become a path later. */
  #name(): void {
    const reader = this.#reader;
    const length = reader.number();
    const at = reader.skip(length);
    const { bytes } = reader;
    let dots = 0;
    for (let index = at; index < at + length; index += 1) {
      const byte = bytes[index];
      if (byte === SLASH || byte === 0) throw new RangeError('an entry has no valid name');
      if (byte === DOT) dots += 1;
    }
    if (dots === length && length <= 2) throw new RangeError('an entry has no valid name');
  }
}
