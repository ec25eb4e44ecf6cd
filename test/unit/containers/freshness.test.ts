import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  assertNotOlder,
  freshnessOf,
  newestSeenOf,
  seenWith,
  type Freshness,
} from '../../../src/containers/freshness.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const NOTHING: Freshness = { signedAtMs: undefined, createdAtMs: undefined, version: undefined };

each(
  'S23 which image is older',
  [
    { name: 'signed before', seen: { signedAtMs: 2 }, offered: { signedAtMs: 1 }, older: /signed/ },
    { name: 'signed after', seen: { signedAtMs: 1 }, offered: { signedAtMs: 2 } },
    {
      name: 'an old one that is signed again is meant',
      seen: { signedAtMs: 1, createdAtMs: 9, version: '9' },
      offered: { signedAtMs: 2, createdAtMs: 1, version: '1' },
    },
    {
      name: 'built before, where the time of signing is the same',
      seen: { signedAtMs: 1, createdAtMs: 2 },
      offered: { signedAtMs: 1, createdAtMs: 1 },
      older: /built/,
    },
    {
      name: 'built before, where nobody says when it was signed',
      seen: { signedAtMs: 5, createdAtMs: 2 },
      offered: { createdAtMs: 1 },
      older: /built/,
    },
    {
      name: 'built after',
      seen: { createdAtMs: 1, version: '2' },
      offered: { createdAtMs: 2, version: '1' },
    },
    {
      name: 'a lower version of two that were built at the same time, as those are that can be built again',
      seen: { createdAtMs: 1, version: '3.10.1' },
      offered: { createdAtMs: 1, version: '3.9' },
      older: /version 3\.9, and 3\.10\.1/,
    },
    { name: 'the same', seen: { version: '1.0' }, offered: { version: '1' } },
    { name: 'a higher version', seen: { version: 'v1.9' }, offered: { version: '1.10' } },
    { name: 'nothing to go by', seen: { signedAtMs: 5 }, offered: { version: '1' } },
  ] satisfies readonly {
    readonly name: string;
    readonly seen: Partial<Freshness>;
    readonly offered: Partial<Freshness>;
    readonly older?: RegExp;
  }[],
  async ({ seen, offered, ...row }) => {
    const older = 'older' in row ? row.older : undefined;
    const check = (): void => {
      assertNotOlder('a', { seen: { ...NOTHING, ...seen }, offered: { ...NOTHING, ...offered } });
    };
    if (older === undefined) check();
    else assert.match((await assertFails('DOWNGRADE_REFUSED', check)).message, older);
  },
);

const signed = {
  scope: 'docker:',
  signatures: [{ type: 'signedBy', key: 'A', identity: 'a:1' }],
} as const;
const image = (created: string | undefined, version?: string, madeAtMs?: number) => ({
  trust: { ...signed, signatures: [{ ...signed.signatures[0], madeAtMs }] },
  config: { created, labels: {} },
  manifest: {
    annotations: version === undefined ? {} : { 'org.opencontainers.image.version': version },
  },
});

test('S25 times of the future and numbers without measure are not kept', () => {
  const future = '9999-01-01T00:00:00Z';
  assert.deepEqual(freshnessOf(image(future, '9'.repeat(16), NOW + 86_400_000), NOW), NOTHING);
  assert.deepEqual(freshnessOf(image('nonsense', '1.'.repeat(8) + '1', -5), NOW), NOTHING);
  assert.deepEqual(freshnessOf(image(undefined, '1.0-rc1'), NOW), NOTHING);
  assert.deepEqual(freshnessOf(image('2025-06-01T00:00:00Z', '1.2', NOW - 5), NOW), {
    signedAtMs: NOW - 5,
    createdAtMs: Date.parse('2025-06-01T00:00:00Z'),
    version: '1.2',
  });
  assert.equal(
    freshnessOf({ ...image('2025-06-01T00:00:00Z'), trust: { scope: 'x', signatures: [] } }, NOW),
    undefined,
  );
});

test('S25 what was seen stays over unsigned images, and an older one that was allowed counts from then on', () => {
  const first = seenWith('a', undefined, { ...NOTHING, signedAtMs: 5 });
  const unsigned = seenWith('a', first, undefined);
  assert.equal(unsigned?.signedAtMs, 5);
  const second = seenWith('a', newestSeenOf('a', [first, unsigned]), { ...NOTHING, signedAtMs: 9 });
  assert.equal(newestSeenOf('a', [first, second, undefined])?.signedAtMs, 9);
  assert.equal(newestSeenOf('b', [first, second]), undefined);
  const back = seenWith('a', { allowedAtMs: 100 }, { ...NOTHING, signedAtMs: 3 });
  // The deployment that knows more is still there.
  assert.deepEqual(newestSeenOf('a', [second, back]), {
    ...NOTHING,
    reference: 'a',
    signedAtMs: 3,
    allowedAtMs: 100,
  });
  const next = seenWith('a', newestSeenOf('a', [second, back]), { ...NOTHING, signedAtMs: 4 });
  assert.equal(newestSeenOf('a', [second, back, next])?.signedAtMs, 4);
});
