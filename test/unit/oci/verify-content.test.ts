import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { ContentMismatchError } from '../../../src/oci/content-mismatch-error.js';
import { digestOf, parseDigest } from '../../../src/oci/digest.js';
import { readVerified, verifyBytes, verifyContent } from '../../../src/oci/verify-content.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

const content = Buffer.from('the content that was promised');
const promise = { digest: digestOf(content), size: content.length };

async function* inPieces(bytes: Uint8Array, size = 7) {
  for (let at = 0; at < bytes.length; at += size) {
    await Promise.resolve();
    yield bytes.subarray(at, at + size);
  }
}

each(
  'verifyContent() passes on',
  [
    { name: 'what was promised', bytes: content, expected: promise },
    {
      name: 'nothing, if nothing was promised',
      bytes: Buffer.alloc(0),
      expected: { digest: digestOf(Buffer.alloc(0)), size: 0 },
    },
    {
      name: 'R55 what sha512 promises',
      bytes: content,
      expected: { digest: digestOf(content, 'sha512'), size: content.length },
    },
  ],
  async ({ bytes, expected }) => {
    assert.deepEqual(await readVerified(inPieces(bytes), expected), bytes);
  },
);

test('verifyContent() refuses R01 other bytes of the same length', async () => {
  const other = Buffer.from(content);
  other[3] = 0;
  const error = await assertFails('CONTENT_MISMATCH', () => readVerified(inPieces(other), promise));
  assert.ok(error instanceof ContentMismatchError);
  assert.equal(error.actualDigest, digestOf(other));
  assert.match(error.message, /^digest mismatch: expected sha256:[0-9a-f]{64}, got sha256:/);
  // A reader that only counts lets it pass: what the hash is for.
  assert.equal(other.length, promise.size);
});

test('verifyContent() refuses R02 fewer bytes', async () => {
  const error = await assertFails('CONTENT_TRUNCATED', () =>
    readVerified(inPieces(content.subarray(0, -1)), promise),
  );
  assert.ok(error instanceof ContentMismatchError);
  assert.equal(error.bytesRead, content.length - 1);
});

test('verifyContent() stops at the first byte too many R03', async () => {
  let pieces = 0;
  async function* endless() {
    for (;;) {
      await Promise.resolve();
      pieces++;
      yield content;
    }
  }
  await assertFails('CONTENT_MISMATCH', () => readVerified(endless(), promise));
  assert.equal(pieces, 2);
});

test('verifyContent() ends its source when its consumer stops', async () => {
  let ended = false;
  async function* source() {
    try {
      yield* inPieces(content);
    } finally {
      ended = true;
    }
  }
  for await (const piece of verifyContent(source(), promise)) {
    assert.ok(piece.length > 0);
    break;
  }
  assert.equal(ended, true);
});

test('verifyBytes() checks the size only where it is known', async () => {
  verifyBytes(content, { digest: promise.digest });
  verifyBytes(content, promise);
  await assertFails('CONTENT_MISMATCH', () => {
    verifyBytes(content, { ...promise, size: content.length - 1 });
  });
  await assertFails('CONTENT_TRUNCATED', () => {
    verifyBytes(content, { ...promise, size: content.length + 1 });
  });
  await assertFails('CONTENT_MISMATCH', () => {
    verifyBytes(Buffer.from('other'), { digest: promise.digest });
  });
});

each(
  'parseDigest() refuses R53',
  [
    { name: 'a path', text: 'sha256:../../../../etc/cron.d/x' },
    { name: 'a path of the right length', text: `sha256:${'../'.repeat(21)}a` },
    { name: 'capitals', text: `sha256:${'A'.repeat(64)}` },
    { name: 'too few digits', text: `sha256:${'a'.repeat(63)}` },
    { name: 'too many digits', text: `sha256:${'a'.repeat(65)}` },
    { name: 'sha512 with the digits of sha256', text: `sha512:${'a'.repeat(64)}` },
    { name: 'a newline behind', text: `sha256:${'a'.repeat(64)}\n` },
    { name: 'no algorithm', text: 'a'.repeat(64) },
    { name: 'a weak algorithm', text: `md5:${'a'.repeat(32)}` },
    { name: 'nothing', text: '' },
  ],
  async ({ text }) => {
    await assertFails('DIGEST_INVALID', () => parseDigest(text));
  },
);

test('digestOf() is what the world computes', () => {
  const hex = createHash('sha256').update(content).digest('hex');
  assert.equal(digestOf(content), `sha256:${hex}`);
});
