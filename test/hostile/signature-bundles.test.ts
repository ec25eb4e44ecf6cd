import assert from 'node:assert/strict';
import { verify } from 'node:crypto';
import { test } from 'node:test';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { makeSigstoreKey, type SigstoreKey } from '../support/sigstore-attachments.js';
import {
  makeBundle,
  preAuthenticate,
  signStatement,
  statementOf,
} from '../support/sigstore-bundles.js';
import { claimOf } from '../support/signing-keys.js';
import { TrustDesk } from '../support/trust-desk.js';

/*
 * HOSTILE.md, B.9, for bundles of sigstore's newer format. The naive verifier is content with a signature by the right key, over the
 * envelope in which the digest stands.
 */

const signer = makeSigstoreKey();
const stranger = makeSigstoreKey();
const REFERENCE = 'registry.example/ns/etcd:3.5';

interface Row {
  readonly name: string;
  /** A bundle, or its text. */
  readonly bundle: (digest: string) => object | string;
  /** Where the digest is enough; the scope of the image unless given. */
  readonly unnamed?: readonly string[];
  readonly key?: SigstoreKey;
  readonly code?: ErrorCode;
  readonly says?: RegExp;
  readonly naiveTakes?: true;
}

const signed = (document: object | string, key = signer) =>
  makeBundle(signStatement(key, document));
const good = (digest: string) => signed(statementOf(digest));
const named = (digest: string, name: string) => {
  const [algorithm = '', hex] = digest.split(':');
  return signed(statementOf(digest, { subject: [{ name, digest: { [algorithm]: hex } }] }));
};
const other = (digest: string): string =>
  digest.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
const refused = { code: 'SIGNATURE_INVALID' } as const;
const edwards = makeSigstoreKey('ed25519');

each<Row>(
  'S02 S05 S07 S08 S20 a bundle',
  [
    { name: 'of the image is taken where its digest is enough', bundle: good, naiveTakes: true },
    {
      name: 'is taken where it is enough for the host',
      bundle: good,
      unnamed: ['REGISTRY.example'],
      naiveTakes: true,
    },
    {
      name: 'that names no image',
      bundle: good,
      unnamed: [],
      ...{ ...refused, says: /bundle 1: it names no image/, naiveTakes: true },
    },
    {
      name: 'that names no image, where that is enough for another one',
      bundle: good,
      unnamed: ['registry.example/ns/etc', 'registry.example/ns/etcd/x', 'registry.example:5000'],
      ...{ ...refused, says: /it names no image/, naiveTakes: true },
    },
    {
      name: 'that names the image needs no leave',
      bundle: (digest) => named(digest, REFERENCE),
      unnamed: [],
      naiveTakes: true,
    },
    {
      name: 'S07 that names another image',
      bundle: (digest) => named(digest, 'registry.example/ns/nginx:3.5'),
      ...{ ...refused, says: /it is for 'registry.example\/ns\/nginx:3.5'/, naiveTakes: true },
    },
    {
      name: 'S07 that names another tag',
      bundle: (digest) => named(digest, 'registry.example/ns/etcd:3.4'),
      ...{ ...refused, says: /it is for/, naiveTakes: true },
    },
    {
      name: 'that names what is no image',
      bundle: (digest) => named(digest, '../../etc/passwd'),
      ...{ ...refused, says: /it is for '\.\.\/\.\.\/etc\/passwd'/, naiveTakes: true },
    },
    {
      name: 'S02 by a key that nobody knows',
      bundle: (digest) => signed(statementOf(digest), stranger),
      ...{ ...refused, says: /not made by a key that the policy names/ },
    },
    {
      name: 'by a key of Edwards curve is taken',
      bundle: (digest) => signed(statementOf(digest), edwards),
      key: edwards,
      naiveTakes: true,
    },
    {
      name: 'S05 whose statement was changed',
      bundle: (digest) => {
        const made = signStatement(signer, statementOf(other(digest)));
        return makeBundle({ ...made, payload: Buffer.from(JSON.stringify(statementOf(digest))) });
      },
      ...refused,
    },
    {
      name: 'S05 whose signature is of the bare document',
      bundle: (digest) => {
        const made = signStatement(signer, statementOf(digest), { payloadType: '' });
        return makeBundle({ ...made, payloadType: 'application/vnd.in-toto+json' });
      },
      ...refused,
    },
    {
      name: 'S20 with a signature of ten bytes',
      bundle: (digest) =>
        makeBundle({
          ...signStatement(signer, statementOf(digest)),
          signature: Buffer.alloc(10, 48),
        }),
      ...refused,
    },
    {
      name: 'S20 by SHA-1',
      bundle: (digest) => makeBundle(signStatement(signer, statementOf(digest), { hash: 'sha1' })),
      ...refused,
    },
    {
      name: 'S08 of another image',
      bundle: (digest) => signed(statementOf(other(digest))),
      ...{ ...refused, says: /it is for sha256:/ },
    },
    {
      name: 'S08 of two images',
      bundle: (digest) => {
        const [one] = statementOf(digest).subject;
        return signed(statementOf(digest, { subject: [{ digest: { sha256: '0' } }, one] }));
      },
      ...{ ...refused, says: /'subject' has not one item/, naiveTakes: true },
    },
    {
      name: 'S08 with two digests',
      bundle: (digest) => {
        const sha256 = digest.slice('sha256:'.length);
        const subject = [{ digest: { sha256, sha512: sha256.repeat(2) } }];
        return signed(statementOf(digest, { subject }));
      },
      ...{ ...refused, says: /more than one digest/, naiveTakes: true },
    },
    {
      name: 'S20 with a digest of another kind',
      bundle: (digest) => {
        const subject = [{ digest: { sha1: digest.slice(7, 47) }, annotations: { digest } }];
        return signed(statementOf(digest, { subject }));
      },
      ...{ ...refused, says: /'subject\[0\]\.digest' is wrong/, naiveTakes: true },
    },
    {
      name: 'of no image',
      bundle: (digest) => signed(statementOf(digest, { subject: [] })),
      ...{ ...refused, says: /'subject' is an empty list/ },
    },
    {
      name: 'that says something of the image, and does not sign it',
      bundle: (digest) =>
        signed(statementOf(digest, { predicateType: 'https://slsa.dev/provenance/v1' })),
      ...{ ...refused, says: /'predicateType' is 'https:\/\/slsa/, naiveTakes: true },
    },
    {
      name: 'with a statement of another version',
      bundle: (digest) => signed(statementOf(digest, { _type: 'https://in-toto.io/Statement/v9' })),
      ...{ ...refused, says: /'_type' is/, naiveTakes: true },
    },
    {
      name: 'with a statement that says more than is known',
      bundle: (digest) => signed(statementOf(digest, { except: 'registry.example' })),
      ...{ ...refused, says: /'except' is unknown/, naiveTakes: true },
    },
    {
      name: 'with a document of the older format',
      bundle: (digest) =>
        signed(claimOf(digest, REFERENCE, { type: 'cosign container image signature' })),
      ...{ ...refused, says: /'_type' is missing/, naiveTakes: true },
    },
    {
      name: 'with something else than a statement',
      bundle: (digest) =>
        makeBundle(signStatement(signer, statementOf(digest), { payloadType: 'application/json' })),
      ...{ ...refused, says: /what it signs is no statement/, naiveTakes: true },
    },
    {
      name: 'S15 with no signature',
      bundle: (digest) => {
        const { dsseEnvelope, ...rest } = good(digest);
        return { ...rest, dsseEnvelope: { ...dsseEnvelope, signatures: [] } };
      },
      ...{ ...refused, says: /'dsseEnvelope.signatures' is an empty list/ },
    },
    {
      name: 'S19 with two signatures',
      bundle: (digest) => {
        const { dsseEnvelope, ...rest } = good(digest);
        const [one] = dsseEnvelope.signatures;
        return { ...rest, dsseEnvelope: { ...dsseEnvelope, signatures: [one, one] } };
      },
      ...{ ...refused, says: /'dsseEnvelope.signatures' has not one item/, naiveTakes: true },
    },
    {
      name: 'with bytes in place of a statement',
      bundle: (digest) => {
        const { dsseEnvelope, ...rest } = good(digest);
        const signature = dsseEnvelope.signatures[0]?.sig;
        return { ...rest, messageSignature: { messageDigest: {}, signature } };
      },
      ...{ ...refused, says: /'messageSignature' is of bytes/ },
    },
    {
      name: 'with bytes beside a statement',
      bundle: (digest) => ({ ...good(digest), messageSignature: {} }),
      ...{ ...refused, says: /'messageSignature' is of bytes/, naiveTakes: true },
    },
    {
      name: 'of a version to come',
      bundle: (digest) => ({
        ...good(digest),
        mediaType: 'application/vnd.dev.sigstore.bundle.v0.4+json',
      }),
      ...{ ...refused, says: /'mediaType' is not that of a bundle/, naiveTakes: true },
    },
    {
      name: 'of an older version is taken',
      bundle: (digest) => ({
        ...good(digest),
        mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.2',
      }),
      naiveTakes: true,
    },
    {
      name: 'with a member that is not known',
      bundle: (digest) => ({ ...good(digest), conditions: {} }),
      ...{ ...refused, says: /'conditions' is unknown/, naiveTakes: true },
    },
    {
      name: 'S22 with its envelope twice',
      bundle: (digest) => {
        const envelope = JSON.stringify(signed(statementOf(other(digest))).dsseEnvelope);
        return JSON.stringify(good(digest)).replace('{', `{"dsseEnvelope":${envelope},`);
      },
      ...{ ...refused, says: /dsseEnvelope/, naiveTakes: true },
    },
    {
      name: 'S22 with text behind it',
      bundle: (digest) => `${JSON.stringify(good(digest))}{}`,
      ...{ ...refused, says: /after the end/ },
    },
    {
      name: 'without a word of who has signed',
      bundle: (digest) => ({ ...good(digest), verificationMaterial: {} }),
      ...{ ...refused, says: /has not one of publicKey, certificate/, naiveTakes: true },
    },
    {
      name: 'with a certificate beside its key',
      bundle: (digest) => ({
        ...good(digest),
        verificationMaterial: { publicKey: {}, certificate: { rawBytes: 'AA==' } },
      }),
      ...{ ...refused, says: /has not one of publicKey, certificate/, naiveTakes: true },
    },
    {
      name: 'S32 with a thousand certificates',
      bundle: (digest) => ({
        ...good(digest),
        verificationMaterial: {
          x509CertificateChain: { certificates: Array(1000).fill({ rawBytes: 'AA==' }) },
        },
      }),
      ...{ ...refused, says: /more than 10 items/, naiveTakes: true },
    },
    { name: 'that is no JSON', bundle: () => '{', ...refused },
    { name: 'that is a list', bundle: () => '[]', ...{ ...refused, says: /is not an object/ } },
    {
      name: 'that is nested deeply',
      bundle: () => '['.repeat(5000),
      ...{ ...refused, says: /nested deeper/ },
    },
  ],
  async ({ bundle, unnamed = ['registry.example/ns'], key = signer, code, says, naiveTakes }) => {
    using desk = TrustDesk.forBundles();
    desk.unnamed = unnamed;
    desk.require({ type: 'sigstoreSigned', keyPath: desk.write('key.pub', key.publicKey) });
    const made = bundle(desk.digest);
    const source = desk.sourceWith([made]);
    if (code === undefined) {
      const [accepted] = (await desk.check(desk.manifest, source)).signatures;
      assert.equal(accepted?.type, 'sigstoreSigned');
      assert.equal(accepted.identity, unnamed.length === 0 ? REFERENCE : desk.digest);
      assert.equal(accepted.madeAtMs, undefined);
    } else {
      const error = await assertFails(code, () => desk.check(desk.manifest, source));
      if (says !== undefined) assert.match(error.message, says);
      assert.doesNotMatch(error.message, /\n/);
    }
    assert.equal(naivelySigned(made, desk.digest, key), naiveTakes === true);
  },
);

function naivelySigned(made: object | string, digest: string, { publicKey }: SigstoreKey): boolean {
  try {
    const text = typeof made === 'string' ? made : JSON.stringify(made);
    const { dsseEnvelope } = JSON.parse(text) as Partial<ReturnType<typeof makeBundle>>;
    const { payload = '', payloadType = '', signatures = [] } = dsseEnvelope ?? {};
    const bytes = Buffer.from(payload, 'base64');
    return (
      signatures.every(({ sig }) =>
        verify(
          publicKey.length < 150 ? null : 'sha256',
          preAuthenticate(payloadType, bytes),
          publicKey,
          Buffer.from(sig, 'base64'),
        ),
      ) &&
      signatures.length > 0 &&
      bytes.toString().includes(digest.slice('sha256:'.length))
    );
  } catch {
    return false;
  }
}

test('S07 what may be done about a bundle that names no image is said', async () => {
  using desk = TrustDesk.forBundles();
  desk.unnamed = [];
  desk.require({ type: 'sigstoreSigned', keyPath: desk.write('key.pub', signer.publicKey) });
  const check = (...bundles: object[]) => desk.check(desk.manifest, desk.sourceWith(bundles));
  const error = await assertFails('SIGNATURE_INVALID', () => check(good(desk.digest)));
  assert.match(error.hint ?? '', /unnamed-signatures = \["registry\.example\/ns\/etcd"\]/);
  const unknown = signed(statementOf(desk.digest), stranger);
  const plain = await assertFails('SIGNATURE_INVALID', () => check(unknown));
  assert.equal(plain.hint, undefined, 'it would not help');
});

test('S09 a good bundle among bad ones, and beside signatures of the older format', async () => {
  using desk = TrustDesk.forBundles();
  desk.require({ type: 'sigstoreSigned', keyPath: desk.write('key.pub', signer.publicKey) });
  const bad = [
    signed(statementOf(desk.digest), stranger),
    '{',
    signed(statementOf(other(desk.digest))),
  ];
  const check = (...bundles: (object | string)[]) =>
    desk.check(desk.manifest, desk.sourceWith(bundles));
  await assertFails('SIGNATURE_INVALID', () => check(...bad));
  assert.equal((await check(...bad, good(desk.digest))).signatures.length, 1);
});

test('S20 a curve has the hash of its own, or SHA-256', async () => {
  const { generateKeyPairSync } = await import('node:crypto');
  for (const [namedCurve, hash, isTaken] of [
    ['P-384', 'sha384', true],
    ['P-384', 'sha256', true],
    ['P-384', 'sha1', false],
    ['P-521', 'sha512', true],
    ['P-521', 'sha384', false],
    ['P-256', 'sha512', false],
  ] as const) {
    using desk = TrustDesk.forBundles();
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    desk.require({ type: 'sigstoreSigned', keyPath: desk.write('key.pub', pem) });
    const key = { privateKey, publicKey: pem };
    const bundle = makeBundle(signStatement(key, statementOf(desk.digest), { hash }));
    const check = () => desk.check(desk.manifest, desk.sourceWith([bundle]));
    if (isTaken) await check();
    else await assertFails('SIGNATURE_INVALID', check);
  }
});
