import { createHash } from 'node:crypto';

import { OperationalError } from '../errors/operational-error.js';
import type { NodeMeta, Xattr } from '../layer/tree.js';
import { ByteReader, ByteWriter } from './byte-codec.js';
import {
  impliedDirectory,
  type LayerDirectory,
  type LayerNode,
  type LayerTree,
} from './layer-tree.js';
import { MAX_TREE_DEPTH } from './walk-tree.js';

/*
 * The file of a layer's tree:
 *
 *   "berth-layer\n"  format (1 byte)  owners  tree  content bytes  sha256 of all before (32 bytes)
 *
 * owners: a table of (mode, uid, gid, extended attributes), since whole images have a few dozen; a node has a number into it
 * and its own time. Numbers are LEB128, names are bytes behind their length. Nodes of which there may be several names get
 * consecutive numbers in the order of their first one; a further name refers to that.
 *
 * Binary and not JSON: names are not UTF-8, and an image of 200,000 files is read at each install (about 0.1 s).
 */

const MAGIC = Buffer.from('berth-layer\n');
const FORMAT = 1;
const CHECKSUM_BYTES = 32;
const CONTENT_HASH_BYTES = 32;

const Kind = {
  directory: 1,
  file: 2,
  symlink: 3,
  'character-device': 4,
  'block-device': 5,
  fifo: 6,
  again: 7,
  'link-below': 8,
} as const;

const FLAG_NAMED = 1;
const FLAG_OPAQUE = 2;

/** The bytes of a layer's file. */
export function encodeLayer(tree: LayerTree): Buffer {
  return Buffer.concat(encodeLayerInPieces(tree));
}

/** {@link encodeLayer}, in pieces, since it may be much. */
export function encodeLayerInPieces(tree: LayerTree): readonly Buffer[] {
  const encoder = new LayerEncoder();
  encoder.directory(tree.root);
  const head = new ByteWriter();
  head.raw(MAGIC);
  head.number(FORMAT);
  encoder.writeOwners(head);
  encoder.tree.number(tree.contentBytes);
  const body = [...head.pieces(), ...encoder.tree.pieces()];
  const checksum = createHash('sha256');
  for (const piece of body) checksum.update(piece);
  return [...body, checksum.digest()];
}

/**
 * The tree in the bytes of a layer's file. `name` is what messages call it.
 *
 * @throws `OperationalError` as {@link assertSoundLayer}
 */
export function decodeLayer(bytes: Buffer, name: string): LayerTree {
  const reader = soundReader(bytes, name);
  try {
    return new LayerDecoder(reader).layer();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw damaged(name, error.message);
  }
}

/**
 * Makes sure that these are the bytes of a layer's file as they were written, which takes a tenth of decoding them.
 *
 * @throws `OperationalError` STORE_INVALID if it is damaged, STORE_FORMAT if a newer berth wrote it
 */
export function assertSoundLayer(bytes: Buffer, name: string): void {
  soundReader(bytes, name);
}

/** A reader that stands behind the format. */
function soundReader(bytes: Buffer, name: string): ByteReader {
  const bodyLength = bytes.length - CHECKSUM_BYTES;
  const body = bytes.subarray(0, Math.max(bodyLength, 0));
  if (bodyLength <= MAGIC.length || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw damaged(name, 'it is not the record of a layer');
  }
  const reader = new ByteReader(body.subarray(MAGIC.length));
  // Before the checksum, whose place and kind a later format may change.
  const format = reader.number();
  if (format !== FORMAT) {
    throw new OperationalError(
      'STORE_FORMAT',
      `the record of layer ${name} has format ${format}, which this berth does not know`,
      { hint: 'use the newer berth that wrote it' },
    );
  }
  const checksum = createHash('sha256').update(body).digest();
  if (!checksum.equals(bytes.subarray(bodyLength))) throw damaged(name, 'its checksum is wrong');
  return reader;
}

function damaged(name: string, why: string): OperationalError {
  return new OperationalError('STORE_INVALID', `the record of layer ${name} is damaged: ${why}`, {
    hint: 'pull the image again',
  });
}

class LayerEncoder {
  readonly tree = new ByteWriter();
  readonly #owners = new Map<string, { readonly index: number; readonly meta: NodeMeta }>();
  readonly #numbers = new Map<LayerNode, number>();

  writeOwners(output: ByteWriter): void {
    output.number(this.#owners.size);
    for (const { meta } of this.#owners.values()) {
      output.number(meta.mode);
      output.number(meta.uid);
      output.number(meta.gid);
      output.number(meta.xattrs.length);
      for (const { name, value } of meta.xattrs) {
        output.text(name);
        output.blob(value);
      }
    }
  }

  directory(directory: LayerDirectory): void {
    const { tree } = this;
    tree.number(
      (directory.meta === undefined ? 0 : FLAG_NAMED) | (directory.opaque ? FLAG_OPAQUE : 0),
    );
    if (directory.meta !== undefined) this.#meta(directory.meta);
    tree.number(directory.whiteouts?.size ?? 0);
    for (const name of directory.whiteouts ?? []) tree.text(name);
    tree.number(directory.entries.size);
    for (const [name, node] of directory.entries) {
      tree.text(name);
      this.#node(node);
    }
  }

  #node(node: LayerNode): void {
    const { tree } = this;
    if (node.kind === 'directory') {
      tree.number(Kind.directory);
      this.directory(node);
      return;
    }
    const number = this.#numbers.get(node);
    if (number !== undefined) {
      tree.number(Kind.again);
      tree.number(number);
      return;
    }
    this.#numbers.set(node, this.#numbers.size);
    tree.number(Kind[node.kind]);
    if (node.kind === 'link-below') {
      tree.text(node.target);
      return;
    }
    this.#meta(node.meta);
    if (node.kind === 'file') {
      tree.number(node.size);
      tree.raw(Buffer.from(node.contentSha256, 'hex'));
    } else if (node.kind === 'symlink') tree.text(node.target);
    else {
      tree.number(node.major);
      tree.number(node.minor);
    }
  }

  #meta(meta: NodeMeta): void {
    const key = ownerKey(meta);
    let owner = this.#owners.get(key);
    if (owner === undefined) {
      owner = { index: this.#owners.size, meta };
      this.#owners.set(key, owner);
    }
    this.tree.number(owner.index);
    this.tree.signed(meta.mtimeSeconds);
    this.tree.number(meta.mtimeNanoseconds);
  }
}

function ownerKey(meta: NodeMeta): string {
  const numbers = `${meta.mode} ${meta.uid} ${meta.gid}`;
  if (meta.xattrs.length === 0) return numbers;
  const xattrs = meta.xattrs.map(
    ({ name, value }) => `${name.length} ${name} ${value.length} ${value.toString('latin1')}`,
  );
  return [numbers, ...xattrs].join(' ');
}

type Owner = Pick<NodeMeta, 'mode' | 'uid' | 'gid' | 'xattrs'>;

class LayerDecoder {
  readonly #reader: ByteReader;
  readonly #owners: Owner[] = [];
  readonly #numbered: LayerNode[] = [];

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  layer(): LayerTree {
    const reader = this.#reader;
    for (let left = reader.count(); left > 0; left -= 1) this.#owners.push(this.#owner());
    const root = impliedDirectory();
    this.#directory(root, 0);
    const contentBytes = reader.number();
    if (!reader.isAtEnd) throw new RangeError('something follows the tree');
    return { root, contentBytes };
  }

  #owner(): Owner {
    const reader = this.#reader;
    const [mode, uid, gid] = [reader.number(), reader.number(), reader.number()];
    const xattrs: Xattr[] = [];
    for (let left = reader.count(); left > 0; left -= 1) {
      xattrs.push({ name: reader.text(), value: Buffer.from(reader.blob()) });
    }
    return { mode, uid, gid, xattrs };
  }

  #directory(directory: LayerDirectory, depth: number): void {
    if (depth > MAX_TREE_DEPTH) throw new RangeError('the tree is too deep');
    const reader = this.#reader;
    const flags = reader.number();
    directory.opaque = (flags & FLAG_OPAQUE) !== 0;
    if ((flags & FLAG_NAMED) !== 0) directory.meta = this.#meta();
    for (let left = reader.count(); left > 0; left -= 1) {
      directory.whiteouts ??= new Set();
      directory.whiteouts.add(this.#name());
    }
    for (let left = reader.count(); left > 0; left -= 1) {
      const name = this.#name();
      directory.entries.set(name, this.#node(depth));
    }
  }

  /** The one place where a name comes from the disk: what is no name would become a path later. */
  #name(): string {
    const name = this.#reader.text();
    if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
      throw new RangeError('an entry has no valid name');
    }
    return name;
  }

  #node(depth: number): LayerNode {
    const reader = this.#reader;
    const kind = reader.number();
    if (kind === Kind.directory) {
      const directory = impliedDirectory();
      this.#directory(directory, depth + 1);
      return directory;
    }
    if (kind === Kind.again) {
      const node = this.#numbered[reader.number()];
      if (node === undefined) throw new RangeError('a hard link to nothing');
      return node;
    }
    const node = this.#leaf(kind);
    this.#numbered.push(node);
    return node;
  }

  #leaf(kind: number): LayerNode {
    const reader = this.#reader;
    if (kind === Kind['link-below']) return { kind: 'link-below', target: reader.text() };
    const meta = this.#meta();
    switch (kind) {
      case Kind.file: {
        const size = reader.number();
        return { kind: 'file', meta, size, contentSha256: reader.hex(CONTENT_HASH_BYTES) };
      }
      case Kind.symlink:
        return { kind: 'symlink', meta, target: reader.text() };
      case Kind['character-device']:
      case Kind['block-device']:
      case Kind.fifo: {
        const type =
          kind === Kind.fifo
            ? 'fifo'
            : kind === Kind['block-device']
              ? 'block-device'
              : 'character-device';
        return { kind: type, meta, major: reader.number(), minor: reader.number() };
      }
      default:
        throw new RangeError('an entry of an unknown kind');
    }
  }

  #meta(): NodeMeta {
    const reader = this.#reader;
    const owner = this.#owners[reader.number()];
    if (owner === undefined) throw new RangeError('an entry without an owner');
    // Not `...owner`: that alone took two thirds of the time of reading an image.
    const { mode, uid, gid, xattrs } = owner;
    const mtimeSeconds = reader.signed();
    const mtimeNanoseconds = reader.number();
    return { mode, uid, gid, mtimeSeconds, mtimeNanoseconds, xattrs };
  }
}
