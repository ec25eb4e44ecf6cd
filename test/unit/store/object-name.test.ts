import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import {
  MAX_OBJECT_NAME_BYTES,
  objectName,
  parseObjectName,
  writeObjectName,
  xattrsDigest,
} from '../../../src/store/embedded/object-name.js';

const meta = fc.record({
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
  gid: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
  mtimeSeconds: fc.integer({ min: -(2 ** 31), max: 0x3_7fff_ffff }),
  mtimeNanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
  xattrs: fc.array(
    fc.record({
      name: fc.string({ minLength: 1 }),
      value: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    }),
    { maxLength: 2 },
  ),
});
const contentSha256 = 'ab'.repeat(32);

test('the name of an object says what is in it', () => {
  fc.assert(
    fc.property(meta, (own) => {
      const [folder = '', name = ''] = objectName({ contentSha256, meta: own }).split('/');
      const { xattrs, ...numbers } = own;
      assert.deepEqual(parseObjectName(folder, name), {
        contentSha256,
        ...numbers,
        xattrs: xattrs.length === 0 ? undefined : xattrsDigest(own),
      });
      assert.ok(name.length <= 255);
    }),
  );
});

test('the name is the same in bytes', () => {
  fc.assert(
    fc.property(meta, fc.integer({ min: 0, max: 9 }), (own, start) => {
      const bytes = Buffer.alloc(MAX_OBJECT_NAME_BYTES + start, 0xff);
      const end = writeObjectName(bytes, start, { contentSha256, meta: own });
      const name = objectName({ contentSha256, meta: own });
      assert.equal(bytes.toString('latin1', start, end), `${name}\0`);
    }),
  );
});

test('what differs in one thing has another name', () => {
  fc.assert(
    fc.property(meta, meta, (one, other) => {
      const same = JSON.stringify(one) === JSON.stringify(other);
      const names = [one, other].map((own) => objectName({ contentSha256, meta: own }));
      assert.equal(names[0] === names[1], same);
    }),
  );
});

test('other names are not taken for objects', () => {
  for (const name of [
    '',
    '.',
    'README',
    `${'c'.repeat(62)}-644.0.0.0`,
    `${'c'.repeat(62)}-999.0.0.0.0`,
  ]) {
    assert.equal(parseObjectName('ab', name), undefined, name);
  }
});
