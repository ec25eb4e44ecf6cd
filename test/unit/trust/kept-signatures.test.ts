import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseDigest } from '../../../src/oci/digest.js';
import { KeptSignatures } from '../../../src/trust/kept-signatures.js';
import { TempDir } from '../../support/temp-dir.js';

test('keepOnly() leaves the signatures of an image that comes while it asks which there are', async () => {
  using dir = new TempDir();
  const kept = new KeptSignatures(`${dir.path}/signatures`);
  const [gone, there, coming] = ['a', 'b', 'c'].map((digit) =>
    parseDigest(`sha256:${digit.repeat(64)}`),
  );
  assert.ok(gone !== undefined && there !== undefined && coming !== undefined);
  const signatures = [{ kind: 'simple', blob: Buffer.from('signed'), name: 'one' }] as const;
  for (const digest of [gone, there]) await kept.write(digest, signatures);
  await kept.keepOnly(async () => {
    await kept.write(coming, signatures);
    return [there];
  });
  const counts = [gone, there, coming].map(async (digest) => (await kept.read(digest)).length);
  assert.deepEqual(await Promise.all(counts), [0, 1, 1]);
});
