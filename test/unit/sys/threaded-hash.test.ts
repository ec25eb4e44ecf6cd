import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';

import { digestOf } from '../../../src/oci/digest.js';
import { verifyContent } from '../../../src/oci/verify-content.js';
import { createThreadedHash, type ThreadedHash } from '../../../src/sys/threaded-hash.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { runOk } from '../../support/run-command.js';
import { seededRandom } from '../../torture/seeded-random.js';

const MUCH = 1024 * 1024 * 1024;

function threaded(algorithm: 'sha256' | 'sha512' = 'sha256'): ThreadedHash {
  const hash = createThreadedHash(algorithm, MUCH);
  assert.ok(hash !== undefined, 'OpenSSL was not found, or there is one processor only');
  return hash;
}

/** Where contents are cut; BERTH_TEST_SEED asks for the same places again. */
const SEED = Number(process.env['BERTH_TEST_SEED'] ?? Date.now() % 1_000_000);
const random = seededRandom(SEED);

/** Pieces of all sizes: some are hashed on the spot, most elsewhere. */
function* cut(content: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let at = 0; at < content.length;) {
    const bytes = Math.floor(random() * (random() < 0.25 ? 70_000 : 700_000));
    yield content.subarray(at, at + bytes);
    at += bytes;
  }
}

const content = randomBytes(9_000_001);

each(
  'ThreadedHash comes to what Node comes to',
  [
    { name: 'sha256', algorithm: 'sha256', bytes: content },
    { name: 'sha512', algorithm: 'sha512', bytes: content },
    { name: 'nothing', algorithm: 'sha256', bytes: new Uint8Array() },
  ] as const,
  async ({ algorithm, bytes }) => {
    using hash = threaded(algorithm);
    for (const piece of cut(bytes)) await hash.update(piece);
    const wanted = createHash(algorithm).update(bytes).digest('hex');
    assert.equal(hash.digest(), wanted, `seed ${SEED}`);
  },
);

test('ThreadedHash keeps several apart, more than there are threads', async () => {
  const contents = Array.from({ length: 9 }, () => randomBytes(3_000_000));
  const digests = await Promise.all(
    contents.map(async (bytes) => {
      using hash = threaded();
      for (const piece of cut(bytes)) await hash.update(piece);
      return hash.digest();
    }),
  );
  assert.deepEqual(
    digests,
    contents.map((bytes) => createHash('sha256').update(bytes).digest('hex')),
    `seed ${SEED}`,
  );
});

test('ThreadedHash can be disposed of in the middle of a piece', async () => {
  const hash = threaded();
  const hashing = hash.update(content);
  hash[Symbol.dispose]();
  await hashing;
  hash[Symbol.dispose]();
});

test('createThreadedHash() leaves short content to others', () => {
  assert.equal(createThreadedHash('sha256', 1000), undefined);
});

test('a program that leaves a hash in the middle ends by itself', async () => {
  const module = new URL('../../../src/sys/threaded-hash.js', import.meta.url).href;
  await runOk([
    process.execPath,
    '--input-type=module',
    '-e',
    `import { createThreadedHash } from '${module}';
     void createThreadedHash('sha256', 1e9).update(Buffer.alloc(50_000_000));`,
  ]);
});

/** As a source that lends its pieces: what was given is overwritten when the next piece is asked for. */
async function* lent(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  const slot = Buffer.alloc(256 * 1024);
  for (let at = 0; at < bytes.length; at += slot.length) {
    const piece = bytes.subarray(at, at + slot.length);
    slot.set(piece);
    yield slot.subarray(0, piece.length);
    slot.fill('overwritten');
    await Promise.resolve();
  }
}

test('verifyContent() is done with a lent piece when it asks for the next one', async () => {
  let bytes = 0;
  const promise = { digest: digestOf(content), size: content.length };
  for await (const piece of verifyContent(lent(content), promise, createThreadedHash)) {
    bytes += piece.length;
  }
  assert.equal(bytes, content.length);
});

test('verifyContent() refuses R01 other bytes, hashed elsewhere', async () => {
  const promise = { digest: digestOf(randomBytes(10)), size: content.length };
  await assertFails('CONTENT_MISMATCH', async () => {
    for await (const piece of verifyContent(lent(content), promise, createThreadedHash)) {
      assert.ok(piece.length > 0);
    }
  });
});

test('verifyContent() can be left while a piece is hashed elsewhere', async () => {
  const promise = { digest: digestOf(content), size: content.length };
  let pieces = 0;
  for await (const piece of verifyContent(lent(content), promise, createThreadedHash)) {
    pieces += piece.length > 0 ? 1 : 0;
    break;
  }
  assert.equal(pieces, 1);
});
