import { createHash } from 'node:crypto';

import { OperationalError } from '../errors/operational-error.js';
import type { NodeMeta } from '../layer/tree.js';
import { ByteReader, ByteWriter } from './byte-codec.js';
import { FLAG_NAMED, FLAG_OPAQUE, Kind } from './layer-index.js';
import type { LayerDirectory, LayerNode, LayerTree } from './layer-tree.js';
import { openRecordedLayer } from './recorded-layer.js';

/*
 * The file of a layer's tree:
 *
 *   "berth-layer\n"  format (1 byte)  owners  tree  content bytes  sha256 of all before (32 bytes)
 *
 * owners: a table of (mode, uid, gid, extended attributes), since whole images have a few dozen; a node has a number into it
 * and its own time. Numbers are LEB128, names are bytes behind their length. Nodes of which there may be several names get
 * consecutive numbers in the order of their first one; a further name refers to that.
 *
 * Binary and not JSON: names are not UTF-8, and the record of a base is read at each install on it. It is looked through whole and
 * found sound, and nodes are made of what is asked for alone (`recorded-layer.ts`).
 */

const MAGIC = Buffer.from('berth-layer\n');
const FORMAT = 1;
const CHECKSUM_BYTES = 32;

/** The bytes of a layer's file. */
export function encodeLayer(tree: LayerTree): Buffer {
  const pieces: Buffer[] = [];
  writeLayer(tree, (piece) => pieces.push(Buffer.from(piece)));
  return Buffer.concat(pieces);
}

/** {@link encodeLayer}, in pieces whose memory is used again when `take` returns, since it may be much. */
export function writeLayer(tree: LayerTree, take: (piece: Uint8Array) => void): void {
  const checksum = createHash('sha256');
  const writer = new ByteWriter((piece) => {
    checksum.update(piece);
    take(piece);
  });
  const owners = new OwnerTable();
  owners.collect(tree.root);
  writer.raw(MAGIC);
  writer.number(FORMAT);
  owners.write(writer);
  new LayerEncoder(writer, { owners, linked: tree.linked }).directory(tree.root);
  writer.number(tree.contentBytes);
  writer.end();
  take(checksum.digest());
}

/**
 * The tree in the bytes of a layer's file. `name` is what messages call it.
 *
 * @throws `OperationalError` as {@link assertSoundLayer}
 */
export function decodeLayer(bytes: Buffer, name: string): LayerTree {
  const reader = soundReader(bytes, name);
  try {
    return openRecordedLayer(reader);
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

/** The table of owners: comes before the tree, and is known when all of that was looked through. */
class OwnerTable {
  readonly #owners = new Map<string, Owner>();
  /** Of the node before: most have the same. */
  #last: Owner | undefined;

  /** All of a directory, in the order in which they are written. */
  collect(directory: LayerDirectory): void {
    if (directory.meta !== undefined) this.indexOf(directory.meta);
    for (const node of directory.entries.values()) {
      if (node.kind === 'directory') this.collect(node);
      else if (node.kind !== 'link-below') this.indexOf(node.meta);
    }
  }

  indexOf(meta: NodeMeta): number {
    const last = this.#last;
    const owner = last !== undefined && hasSameOwner(last.meta, meta) ? last : this.#find(meta);
    this.#last = owner;
    return owner.index;
  }

  write(output: ByteWriter): void {
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

  #find(meta: NodeMeta): Owner {
    const key = ownerKey(meta);
    const known = this.#owners.get(key);
    if (known !== undefined) return known;
    const owner = { index: this.#owners.size, meta };
    this.#owners.set(key, owner);
    return owner;
  }
}

interface Owner {
  readonly index: number;
  readonly meta: NodeMeta;
}

class LayerEncoder {
  readonly #tree: ByteWriter;
  readonly #owners: OwnerTable;
  readonly #linked: ReadonlySet<LayerNode> | undefined;
  readonly #numbers = new Map<LayerNode, number>();
  #nextNumber = 0;

  /** `linked` are all nodes that may come again; any of them unless given. */
  constructor(
    output: ByteWriter,
    of: { readonly owners: OwnerTable; readonly linked: ReadonlySet<LayerNode> | undefined },
  ) {
    this.#tree = output;
    this.#owners = of.owners;
    this.#linked = of.linked;
  }

  directory(directory: LayerDirectory): void {
    const tree = this.#tree;
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
    const tree = this.#tree;
    if (node.kind === 'directory') {
      tree.number(Kind.directory);
      this.directory(node);
      return;
    }
    if (this.#linked?.has(node) !== false) {
      const number = this.#numbers.get(node);
      if (number !== undefined) {
        tree.number(Kind.again);
        tree.number(number);
        return;
      }
      this.#numbers.set(node, this.#nextNumber);
    }
    this.#nextNumber += 1;
    tree.number(Kind[node.kind]);
    if (node.kind === 'link-below') {
      tree.text(node.target);
      return;
    }
    this.#meta(node.meta);
    if (node.kind === 'file') {
      tree.number(node.size);
      tree.hex(node.contentSha256);
    } else if (node.kind === 'symlink') tree.text(node.target);
    else {
      tree.number(node.major);
      tree.number(node.minor);
    }
  }

  #meta(meta: NodeMeta): void {
    const tree = this.#tree;
    tree.number(this.#owners.indexOf(meta));
    tree.signed(meta.mtimeSeconds);
    tree.number(meta.mtimeNanoseconds);
  }
}

/** Whether both have one place in the table; false where that takes longer to find out than to look it up. */
function hasSameOwner(a: NodeMeta, b: NodeMeta): boolean {
  const isPlain = a.xattrs.length === 0 && b.xattrs.length === 0;
  return isPlain && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

function ownerKey(meta: NodeMeta): string {
  const numbers = `${meta.mode} ${meta.uid} ${meta.gid}`;
  if (meta.xattrs.length === 0) return numbers;
  const xattrs = meta.xattrs.map(
    ({ name, value }) => `${name.length} ${name} ${value.length} ${value.toString('latin1')}`,
  );
  return [numbers, ...xattrs].join(' ');
}
