import assert from 'node:assert/strict';
import { verify } from 'node:crypto';
import { test } from 'node:test';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import {
  makeSigstoreKey,
  signatureFile,
  signSigstore,
  type SigstoreKey,
} from '../support/sigstore-attachments.js';
import { claimOf } from '../support/signing-keys.js';
import { logSignature } from '../support/transparency-log.js';
import { TrustDesk } from '../support/trust-desk.js';

/*
 * HOSTILE.md, B.9: what a transparency log says of a signature. The naive verifier is content with an entry that the log has signed,
 * whatever it is of.
 */

const signer = makeSigstoreKey();
const stranger = makeSigstoreKey();
const log = makeSigstoreKey();

interface Parts {
  readonly document: string;
  readonly signature: string;
  readonly other: string;
}

interface Row {
  readonly name: string;
  /** The bundle beside a good signature; undefined for none. */
  readonly bundle: (parts: Parts) => string | undefined;
  readonly logKey?: () => string;
  readonly code?: ErrorCode;
  readonly says?: RegExp;
  readonly naiveTakes?: true;
}

const entryOf = (parts: Parts, changes: Partial<Parameters<typeof logSignature>[1]> = {}) => ({
  document: parts.document,
  signature: parts.signature,
  publicKey: signer.publicKey,
  ...changes,
});
const now = (): number => Math.floor(Date.now() / 1000);

each<Row>(
  'S17 an entry of a transparency log',
  [
    {
      name: 'of this signature is taken',
      bundle: (parts) => logSignature(log, entryOf(parts)),
      naiveTakes: true,
    },
    { name: 'is missing', bundle: () => undefined, code: 'SIGNATURE_INVALID', says: /no proof/ },
    {
      name: 'of another document',
      bundle: (parts) => logSignature(log, entryOf(parts, { document: parts.other })),
      code: 'SIGNATURE_INVALID',
      says: /of another document/,
      naiveTakes: true,
    },
    {
      name: 'of another signature by the same key',
      bundle: (parts) =>
        logSignature(log, entryOf(parts, { signature: signSigstore(signer, parts.other) })),
      code: 'SIGNATURE_INVALID',
      says: /of another signature/,
      naiveTakes: true,
    },
    {
      name: 'of another key',
      bundle: (parts) => logSignature(log, entryOf(parts, { publicKey: stranger.publicKey })),
      code: 'SIGNATURE_INVALID',
      says: /of another key/,
      naiveTakes: true,
    },
    {
      name: 'of another log',
      bundle: (parts) => logSignature(stranger, entryOf(parts)),
      code: 'SIGNATURE_INVALID',
      says: /none of the keys of the log/,
    },
    {
      name: 'whose time was changed',
      bundle: (parts) =>
        logSignature(log, entryOf(parts)).replace(/"integratedTime":\d+/, '"integratedTime":5'),
      code: 'SIGNATURE_INVALID',
      says: /none of the keys of the log/,
    },
    {
      name: 'S30 five years from now',
      bundle: (parts) => logSignature(log, entryOf(parts, { at: now() + 5 * 365 * 86_400 })),
      code: 'SIGNATURE_INVALID',
      says: /future/,
      naiveTakes: true,
    },
    {
      name: 'S25 with a number that no date has',
      bundle: (parts) => logSignature(log, entryOf(parts, { at: 2 ** 53 - 1 })),
      code: 'SIGNATURE_INVALID',
      says: /too large/,
      naiveTakes: true,
    },
    {
      name: 'with a certificate in place of the key',
      bundle: (parts) =>
        logSignature(
          log,
          entryOf(parts, { publicKey: signer.publicKey.replaceAll('PUBLIC KEY', 'CERTIFICATE') }),
        ),
      code: 'SIGNATURE_INVALID',
      naiveTakes: true,
    },
    {
      name: 'of another kind',
      bundle: (parts) =>
        logSignature(
          log,
          entryOf(parts, { change: (body) => body.replace('hashedrekord', 'intoto') }),
        ),
      code: 'SIGNATURE_INVALID',
      says: /hashedrekord/,
      naiveTakes: true,
    },
    {
      name: 'with its document said twice',
      bundle: (parts) =>
        logSignature(
          log,
          entryOf(parts, {
            change: (body) => body.replace('"kind"', '"kind":"hashedrekord","kind"'),
          }),
        ),
      code: 'SIGNATURE_INVALID',
      naiveTakes: true,
    },
    {
      name: 'with more than is known',
      bundle: (parts) =>
        logSignature(log, entryOf(parts)).replace('"Payload":{', '"Payload":{"x":1,'),
      code: 'SIGNATURE_INVALID',
      says: /unknown/,
      naiveTakes: true,
    },
    { name: 'that is no JSON', bundle: () => '{', code: 'SIGNATURE_INVALID' },
    { name: 'without end', bundle: () => ' '.repeat(60_000), code: 'SIGNATURE_INVALID' },
    {
      name: 'of a log whose key is none of ECDSA or Ed25519',
      bundle: (parts) => logSignature(log, entryOf(parts)),
      logKey: () => makeSigstoreKey('rsa').publicKey,
      code: 'SIGNATURE_KEY_INVALID',
      says: /ECDSA/,
    },
  ],
  async ({ bundle, logKey, code, says, naiveTakes }) => {
    using desk = new TrustDesk();
    const claim = (tag: string): string =>
      claimOf(desk.digest, `registry.example/ns/etcd:${tag}`, {
        type: 'cosign container image signature',
        optional: null,
      });
    const parts = {
      document: claim('3.5'),
      signature: signSigstore(signer, claim('3.5')),
      other: claim('3.4'),
    };
    const proof = bundle(parts);
    desk.lay([signatureFile(parts, { 'dev.sigstore.cosign/bundle': proof })]);
    const requirement = {
      type: 'sigstoreSigned',
      keyPath: desk.write('key.pub', signer.publicKey),
    };
    desk.require(requirement);
    await desk.check(); // the signature is good: what fails is the log's part
    desk.require({
      ...requirement,
      rekorPublicKeyDatas: [
        Buffer.from(stranger.publicKey).toString('base64'),
        Buffer.from(logKey?.() ?? log.publicKey).toString('base64'),
      ].slice(code === undefined ? 0 : 1),
    });
    if (code === undefined) {
      const [accepted] = (await desk.check()).signatures;
      assert.ok(Math.abs((accepted?.madeAtMs ?? 0) - Date.now()) < 60_000);
    } else {
      const error = await assertFails(code, () => desk.check());
      if (says !== undefined) assert.match(error.message, says);
    }
    if (logKey === undefined) assert.equal(naivelyLogged(proof, log), naiveTakes === true);
  },
);

function naivelyLogged(bundle: string | undefined, { publicKey }: SigstoreKey): boolean {
  try {
    const { SignedEntryTimestamp, Payload } = JSON.parse(bundle ?? '') as {
      readonly SignedEntryTimestamp: string;
      readonly Payload: Readonly<Record<string, unknown>>;
    };
    const { body, integratedTime, logID, logIndex } = Payload;
    const canonical = JSON.stringify({ body, integratedTime, logID, logIndex });
    const proof = Buffer.from(SignedEntryTimestamp, 'base64');
    return verify('sha256', Buffer.from(canonical), publicKey, proof);
  } catch {
    return false;
  }
}

test('S23 an old signature that somebody hands to a log today is no newer for it', async () => {
  using desk = new TrustDesk();
  const signedAt = now() - 400 * 86_400;
  desk.require({
    type: 'sigstoreSigned',
    keyPath: desk.write('key.pub', signer.publicKey),
    rekorPublicKeyPath: desk.write('log.pub', log.publicKey),
  });
  const loggedAt = now() - 86_400;
  for (const [said, taken] of [
    [signedAt, signedAt],
    [undefined, loggedAt],
    // What is no time says nothing; what lies after the log took it in is not so.
    [0, loggedAt],
    [now(), loggedAt],
  ] as const) {
    const signed = desk.signClaim(signer, said);
    const bundle = logSignature(log, { ...signed, publicKey: signer.publicKey, at: loggedAt });
    desk.lay([signatureFile(signed, { 'dev.sigstore.cosign/bundle': bundle })]);
    const [accepted] = (await desk.check()).signatures;
    assert.equal(accepted?.madeAtMs, taken * 1000, `signed at ${said ?? 'no time'}`);
  }
});
