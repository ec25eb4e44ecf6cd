import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { readLogKeys, readPublicKeys } from '../../../src/trust/public-keys.js';
import { parseStatement } from '../../../src/trust/statement-claim.js';
import { verifyBundle } from '../../../src/trust/verify-bundle.js';

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../../../test/fixtures/sigstore/${name}`, import.meta.url));
const textOf = (name: string) => [{ bytes: fixture(name), name }];

// The bundle was made by sigstore's own library for JavaScript (@sigstore/sign 5.1.0), with the log of its tests (@sigstore/mock 0.13.0).
test('verifyBundle() takes what another program has made, and nothing of it that was changed', () => {
  const bundle = fixture('bundle.json');
  const whom = {
    signer: { kind: 'keys', keys: readPublicKeys(textOf('key.pub')) },
    logKeys: readLogKeys(textOf('log.pub')),
    nowMs: Date.parse('2100-01-01'),
  } as const;
  const verified = verifyBundle(bundle, whom);
  assert.ok(verified.good, JSON.stringify(verified));
  const [signer] = whom.signer.keys;
  assert.equal(verified.key, signer?.fingerprint);
  const { digest, identity } = parseStatement(verified.document);
  assert.equal(digest, `sha256:${'f'.repeat(64)}`);
  assert.equal(identity, undefined);
  assert.equal(new Date(verified.madeAtMs ?? 0).getUTCFullYear(), 2026);

  // Any text of base64 that is verified, with another character in it.
  const text = bundle.toString();
  for (const key of ['payload', 'sig', 'canonicalizedBody', 'signedEntryTimestamp', 'rootHash']) {
    const changed = text.replace(
      new RegExp(`("${key}": ".{20})(.)`),
      (_, before: string, one: string) => before + (one === 'A' ? 'B' : 'A'),
    );
    assert.notEqual(changed, text, key);
    assert.equal(verifyBundle(Buffer.from(changed), whom).good, false, key);
  }
});
