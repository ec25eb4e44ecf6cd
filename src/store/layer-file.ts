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
