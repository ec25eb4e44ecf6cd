import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc, { type Arbitrary } from 'fast-check';

import type { NodeMeta, Xattr } from '../../../src/layer/tree.js';
import { ByteReader, ByteWriter } from '../../../src/store/byte-codec.js';
import { decodeLayer, encodeLayer } from '../../../src/store/layer-file.js';
import {
  impliedDirectory,
  type LayerDirectory,
  type LayerNode,
  type LayerTree,
} from '../../../src/store/layer-tree.js';

/** Records as literals make them, so that deepEqual compares them with those. */
function record<T>(fields: { [K in keyof T]: Arbitrary<T[K]> }): Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true });
}

const byteString = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'));
const name = byteString.filter((text) => !/[/\0]/.test(text) && text !== '.' && text !== '..');
const xattr: fc.Arbitrary<Xattr> = record({
  name: byteString,
  value: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
});
const meta: fc.Arbitrary<NodeMeta> = record({
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
  gid: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
  mtimeSeconds: fc.integer({ min: -(2 ** 31), max: 2 ** 34 }),
  mtimeNanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
  xattrs: fc.array(xattr, { maxLength: 2 }),
});
const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex'));

const { tree } = fc.letrec<{ tree: LayerTree; directory: LayerNode; node: LayerNode }>((tie) => ({
  tree: fc
    .tuple(fc.array(fc.tuple(name, tie('node')), { maxLength: 6 }), fc.nat())
    .map(([entries, contentBytes]) => {
      const root = impliedDirectory();
      for (const [key, node] of entries) root.entries.set(key, node);
      return { root, contentBytes };
    }),
  directory: record({
    meta: fc.option(meta, { nil: undefined }),
    opaque: fc.boolean(),
    whiteouts: fc.array(name, { maxLength: 2 }),
    entries: fc.array(fc.tuple(name, tie('node')), { maxLength: 3 }),
  }).map(({ meta: own, opaque, whiteouts, entries }) => {
    const directory = impliedDirectory();
    directory.meta = own;
    directory.opaque = opaque;
    if (whiteouts.length > 0) directory.whiteouts = new Set(whiteouts);
    for (const [key, node] of entries) directory.entries.set(key, node);
    return directory;
  }),
  node: fc.oneof(
    { depthSize: 'small' },
    record({ kind: fc.constant('file' as const), meta, size: fc.nat(), contentSha256: hash }),
    record({ kind: fc.constant('symlink' as const), meta, target: byteString }),
    record({ kind: fc.constant('link-below' as const), target: byteString }),
    record({
      kind: fc.constantFrom('character-device' as const, 'block-device' as const, 'fifo' as const),
      meta,
      major: fc.nat(4095),
      minor: fc.nat(1_048_575),
    }),
    tie('directory'),
  ),
}));

/** A directory as a literal makes it, with all that is in it. */
function plain({ meta: own, opaque, whiteouts, entries }: LayerDirectory): LayerDirectory {
  const directory = { ...impliedDirectory(), meta: own, opaque, whiteouts };
  for (const [key, node] of entries)
    directory.entries.set(key, node.kind === 'directory' ? plain(node) : node);
  return directory;
}

test('a layer comes back from its file as it was', () => {
  fc.assert(
    fc.property(tree, (layer) => {
      const { root, contentBytes } = decodeLayer(encodeLayer(layer), 'test');
      assert.deepEqual({ root: plain(root), contentBytes }, layer);
    }),
    { numRuns: 300 },
  );
});

test('names of one file are one node again', () => {
  const root = impliedDirectory();
  const file: LayerNode = {
    kind: 'symlink',
    meta: { mode: 0, uid: 0, gid: 0, mtimeSeconds: 0, mtimeNanoseconds: 0, xattrs: [] },
    target: 'x',
  };
  root.entries
    .set('a', file)
    .set('b', file)
    .set('c', { ...file });
  const { entries } = decodeLayer(encodeLayer({ root, contentBytes: 0 }), 'test').root;
  assert.equal(entries.get('a'), entries.get('b'));
  assert.notEqual(entries.get('a'), entries.get('c'));
});

test('a layer comes back that takes several pieces of memory, with a name that is larger than one', () => {
  const root = impliedDirectory();
  const owner = { mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 1, mtimeNanoseconds: 0, xattrs: [] };
  for (let index = 0; index < 9000; index++) {
    const contentSha256 = index.toString(16).padStart(64, '0');
    root.entries.set(`file${index}`, { kind: 'file', meta: owner, size: index, contentSha256 });
  }
  root.entries.set('link', { kind: 'symlink', meta: owner, target: 'x'.repeat(300_000) });
  const layer = { root, contentBytes: 7 };
  const decoded = decodeLayer(encodeLayer(layer), 'test');
  assert.deepEqual({ root: plain(decoded.root), contentBytes: decoded.contentBytes }, layer);
});

test('what is known of names changes nothing in the file', () => {
  fc.assert(
    fc.property(tree, fc.array(hash, { maxLength: 4 }), (layer, hashes) => {
      const owned = (mode: number): NodeMeta => ({
        ...{ mode, uid: 0, gid: 0, mtimeSeconds: 1, mtimeNanoseconds: 0, xattrs: [] },
      });
      const linked = new Set<LayerNode>();
      for (const [index, contentSha256] of hashes.entries()) {
        const file = { kind: 'file' as const, meta: owned(index >> 1), size: 1, contentSha256 };
        layer.root.entries.set(`first${index}`, file).set(`also${index}`, file);
        linked.add(file);
      }
      assert.deepEqual(encodeLayer({ ...layer, linked }), encodeLayer(layer));
    }),
    { numRuns: 100 },
  );
});

test('numbers of every size and sign come back', () => {
  fc.assert(
    fc.property(fc.array(fc.maxSafeInteger()), (numbers) => {
      const pieces: Buffer[] = [];
      const writer = new ByteWriter((piece) => pieces.push(Buffer.from(piece)));
      const small = numbers.map((number) => Math.trunc(number / 2));
      for (const number of small) writer.signed(number);
      for (const number of numbers) writer.number(Math.abs(number));
      writer.end();
      const reader = new ByteReader(Buffer.concat(pieces));
      for (const number of small) assert.equal(reader.signed(), number === 0 ? 0 : number);
      for (const number of numbers) assert.equal(reader.number(), Math.abs(number));
      assert.ok(reader.isAtEnd);
    }),
  );
});

test('what is no number, or ends too early, is refused', () => {
  const reader = (hex: string): ByteReader => new ByteReader(Buffer.from(hex, 'hex'));
  assert.throws(() => reader('').number(), RangeError);
  assert.throws(() => reader('80').number(), RangeError);
  assert.throws(() => reader('ffffffffffffffffff7f').number(), RangeError);
  assert.throws(() => reader('0541').text(), RangeError);
  assert.throws(() => reader('ffffff7f').count(), RangeError);
  assert.throws(() => reader('00').skip(32), RangeError);
});
