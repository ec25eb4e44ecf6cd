import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import { Variant } from '../../../../src/systemd/wire/variant.js';
import {
  decodeMessage,
  encodeCall,
  MESSAGE,
  messageLength,
} from '../../../../src/systemd/wire/wire-message.js';
import { assertFails } from '../../../support/assert-fails.js';
import { each } from '../../../support/each.js';

/** Another implementation: what it writes is read here, and the other way round. */
const library = createRequire(import.meta.url)('dbus-next/lib/message.js') as {
  marshall(message: object): [Buffer, unknown];
  unmarshall(bytes: Buffer): { readonly body: unknown; readonly member: string };
};

const CALL = {
  serial: 7,
  destination: 'org.example',
  path: '/org/example',
  interface: 'org.example.Thing',
  member: 'Do',
};

const VALUES = [
  { signature: '', body: [] },
  { signature: 's', body: ['größer'] },
  { signature: 'yb', body: [255, true] },
  { signature: 'nqiud', body: [-2, 65_535, -70_000, 4_000_000_000, 0.5] },
  { signature: 'xt', body: [-(2n ** 62n), 2n ** 64n - 1n] },
  { signature: 'og', body: ['/a/b', 'a{sv}'] },
  { signature: 'as', body: [['a', '', 'ccc']] },
  { signature: 'asas', body: [[], ['x']] },
  { signature: 'yat', body: [1, []] },
  { signature: 'asbb', body: [['etcd.service'], false, true] },
  { signature: '(s(iu))s', body: [['a', [1, 2]], 'b'] },
  { signature: 'a(ssssssouso)', body: [[['n', '', 'l', 'a', 's', '', '/o', 0, '', '/']]] },
  { signature: 'a(sss)ay', body: [[['a', 'b', 'c']], Buffer.from([1, 2, 3])] },
];

each(
  'a call is what another implementation writes, and reads',
  VALUES.map((row) => ({ name: `'${row.signature}'`, ...row })),
  ({ signature, body }) => {
    const bytes = encodeCall({ ...CALL, signature, body });
    assert.equal(messageLength(bytes), bytes.length);
    const [theirs] = library.marshall({
      ...{ type: 1, flags: 0, serial: 7, signature, body },
      ...{ destination: CALL.destination, path: CALL.path },
      ...{ interface: CALL.interface, member: CALL.member },
    });
    // The order of the header's fields is free.
    assert.deepEqual(decodeMessage(bytes), decodeMessage(theirs));
    assert.deepEqual(decodeMessage(bytes).body, body);
    assert.equal(decodeMessage(bytes).member, 'Do');
    // Of nothing it makes undefined, and reading the body is what it is asked for.
    if (signature !== '') assert.equal(library.unmarshall(bytes).member, 'Do');
  },
);

test('variants and dictionaries are read with their types', () => {
  const [bytes] = library.marshall({
    ...{ type: 2, flags: 1, serial: 9, replySerial: 7, destination: ':1.5' },
    signature: 'a{sv}v',
    body: [
      [
        ['Names', ['as', ['a', 'b']]],
        ['__proto__', ['u', 5]],
      ],
      ['(si)', ['x', -1]],
    ],
  });
  const message = decodeMessage(bytes);
  assert.equal(message.type, MESSAGE.reply);
  assert.equal(message.replySerial, 7);
  const [dictionary, variant] = message.body as [Record<string, unknown>, Variant];
  assert.deepEqual(Object.entries(dictionary), [
    ['Names', new Variant('as', ['a', 'b'])],
    ['__proto__', new Variant('u', 5)],
  ]);
  assert.deepEqual(variant, new Variant('(si)', ['x', -1]));
});

test('a variant is written as another implementation writes it', () => {
  const ours = encodeCall({
    ...{ ...CALL, signature: 'sa(sv)' },
    body: ['x', [['MemoryMax', new Variant('t', 5n)]]],
  });
  const [theirs] = library.marshall({
    ...{ ...CALL, type: 1, flags: 0, signature: 'sa(sv)' },
    body: ['x', [['MemoryMax', ['t', 5n]]]],
  });
  assert.deepEqual(decodeMessage(ours), decodeMessage(theirs));
});

test('a message with the big end first is read', () => {
  const bytes = Buffer.from(
    '42020101' +
      '00000008' +
      '00000001' +
      '0000000f' + // B, reply, a body of 8 bytes, fields of 15
      '0501750000000007' +
      '0801670001750000' +
      '0000002a' +
      '00000000',
    'hex',
  );
  assert.equal(messageLength(bytes), 40);
  const { replySerial, body } = decodeMessage(bytes);
  assert.deepEqual({ replySerial, body }, { replySerial: 7, body: [42] });
});

/** A reply of one string; `change` damages it. */
function damaged(change: (bytes: Buffer) => Buffer | undefined): Buffer {
  const [bytes] = library.marshall({
    ...{ type: 2, flags: 1, serial: 9, replySerial: 7, signature: 'as', body: [['abc', 'def']] },
  });
  return change(bytes) ?? bytes;
}

each(
  'a message that is none is refused',
  [
    { name: 'cut off', bytes: damaged((bytes) => bytes.subarray(0, -3)) },
    { name: 'an array that ends after it', bytes: damaged((bytes) => void (bytes[32] = 200)) },
    { name: 'a text that ends after its array', bytes: damaged((bytes) => void (bytes[36] = 20)) },
    { name: 'no byte order', bytes: damaged((bytes) => void (bytes[0] = 0)) },
    { name: 'a type of its own', bytes: withSignature('!') },
    { name: 'a structure of nothing', bytes: withSignature('a()') },
    { name: 'a structure without an end', bytes: withSignature('(ss') },
    { name: 'an array of nothing', bytes: withSignature('a') },
    { name: 'arrays in arrays in arrays', bytes: nested(100) },
  ],
  async ({ bytes }) => {
    await assertFails('SYSTEMD_PROTOCOL', () => decodeMessage(bytes));
  },
);

test('a message that says to have gigabytes is refused before they come', async () => {
  const prefix = Buffer.from('6c020001' + 'ffffff7f' + '01000000' + '00000000', 'hex');
  await assertFails('SYSTEMD_PROTOCOL', () => messageLength(prefix));
});

/** A reply whose body is said to be of this type, and is zeros. */
function withSignature(signature: string): Buffer {
  const field = Buffer.concat([
    Buffer.from([8, 1, 'g'.charCodeAt(0), 0, signature.length]),
    Buffer.from(`${signature}\0`),
  ]);
  const prefix = Buffer.from('6c020001' + '40000000' + '01000000' + '00000000', 'hex');
  prefix.writeUInt32LE(field.length, 12);
  const padding = Buffer.alloc((8 - (field.length % 8)) % 8);
  return Buffer.concat([prefix, field, padding, Buffer.alloc(64, 4)]);
}

/** A variant in a variant in a variant. */
function nested(levels: number): Buffer {
  const body = Buffer.concat(Array.from({ length: levels }, () => Buffer.from('\u0001v\0')));
  const bytes = withSignature('v');
  bytes.writeUInt32LE(body.length, 4);
  return Buffer.concat([bytes.subarray(0, -64), body, Buffer.from('\u0001y\0\u0001')]);
}
