import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { RegistryClient } from '../../src/registry/registry-client.js';
import { digestOf } from '../../src/oci/digest.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { quickRetries, quickTimeouts } from '../support/pull-from.js';
import { pushIndex } from '../support/push-image.js';
import { SignedRegistry } from '../support/signed-registry.js';
import {
  makeSigstoreKey,
  pushAttachments,
  signSigstore,
  type Attachment,
} from '../support/sigstore-attachments.js';
import { claimOf, SigningKeys } from '../support/signing-keys.js';
import { TrustDesk } from '../support/trust-desk.js';

/* HOSTILE.md, B.9 and M22, R08: where signatures are looked for, over a network and in a registry. */

const keys = new SigningKeys();
let keyring: Buffer;

before(async () => {
  await keys.make('good');
  keyring = await keys.export(['good']);
});

after(() => keys[Symbol.asyncDispose]());

const signedBy = (): Readonly<Record<string, unknown>> => ({
  type: 'signedBy',
  keyType: 'GPGKeys',
  keyData: keyring.toString('base64'),
});

/** Runs `body` with a server that answers all requests so, and a desk that looks for signatures there. */
async function withServer(
  answer: RequestListener,
  body: (desk: TrustDesk, asked: readonly string[]) => Promise<void>,
): Promise<void> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    using desk = new TrustDesk();
    await using client = new RegistryClient({
      certDirs: [],
      retries: { ...quickRetries, attempts: 2 },
      timeouts: quickTimeouts,
    });
    desk.registryClient = client;
    desk.lookAt(`http://127.0.0.1:${port}/sigs/`);
    desk.require(signedBy());
    await body(desk, asked);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('a server is asked for one signature after the other, up to the first that is missing', async () => {
  let signature: Buffer = Buffer.alloc(0);
  await withServer(
    (request, response) => {
      if (request.url?.endsWith('/signature-1') === true) response.end('<html>a page</html>');
      else if (request.url?.endsWith('/signature-2') === true) response.end(signature);
      else response.writeHead(404).end();
    },
    async (desk, asked) => {
      signature = await keys.sign('good', claimOf(desk.digest, desk.reference));
      assert.equal((await desk.check()).signatures.length, 1);
      const base = `/sigs/ns/etcd@${desk.digest.replace(':', '=')}`;
      assert.deepEqual(
        asked,
        [1, 2, 3].map((number) => `${base}/signature-${number}`),
      );
    },
  );
});

test('S13 a server without signatures has none', async () => {
  await withServer(
    (_, response) => response.writeHead(404).end(),
    (desk) => assertFails('SIGNATURE_MISSING', () => desk.check()).then(() => undefined),
  );
});

each(
  'S14 a server that does not answer as it should is no server without signatures',
  [
    { name: '500', answer: (_, response) => response.writeHead(500).end() },
    { name: '503', answer: (_, response) => response.writeHead(503).end() },
    { name: '403', answer: (_, response) => response.writeHead(403).end() },
    { name: '401', answer: (_, response) => response.writeHead(401).end() },
    { name: '204', answer: (_, response) => response.writeHead(204).end() },
    { name: 'silence', answer: () => undefined },
    { name: 'a broken connection', answer: (request) => request.socket.destroy() },
    {
      name: 'half an answer',
      answer: (_, response) => response.writeHead(200, { 'content-length': 100 }).end('half'),
    },
    {
      name: 'a way round in a circle',
      answer: (_, response) => response.writeHead(302, { location: '/sigs/' }).end(),
    },
    {
      name: 'a way to a file of the host',
      answer: (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    },
  ] satisfies readonly { readonly name: string; readonly answer: RequestListener }[],
  async ({ answer }) => {
    await withServer(answer, async (desk) => {
      const error = await assertFails('SIGNATURE_UNAVAILABLE', () => desk.check());
      assert.equal(error.exitStatus, 75);
    });
  },
);

test('R08 S32 a server that has a signature for every number, and one without end', async () => {
  await withServer(
    (_, response) => response.end(Buffer.from([0x90])),
    async (desk, asked) => {
      await assertFails('LIMIT_EXCEEDED', () => desk.check());
      assert.ok(asked.length < 140, String(asked.length));
    },
  );
  await withServer(
    (_, response) => {
      const piece = Buffer.alloc(65_536, 0x90);
      // What is written after the other side is gone goes nowhere.
      for (let count = 0; count < 100; count++) response.write(piece);
    },
    async (desk) => {
      await assertFails('LIMIT_EXCEEDED', () => desk.check());
    },
  );
});

const sigstoreClaim = (digest: string, reference: string): string =>
  claimOf(digest, reference, { type: 'cosign container image signature', optional: null });

each(
  'M22 S15 the index and the manifest have to be signed',
  [
    { name: 'nothing', signed: [], code: 'SIGNATURE_MISSING' },
    { name: 'the other machine alone', signed: ['other'], code: 'SIGNATURE_MISSING' },
    { name: 'the manifest alone', signed: ['image', 'other'], code: 'SIGNATURE_MISSING' },
    { name: 'the index alone', signed: ['index'], code: 'SIGNATURE_MISSING' },
    {
      name: 'the index and the other machine',
      signed: ['index', 'other'],
      code: 'SIGNATURE_MISSING',
    },
    { name: 'index and manifest', signed: ['index', 'image'], code: undefined },
  ] as const,
  async ({ signed, code }) => {
    await using registry = await SignedRegistry.start();
    const key = makeSigstoreKey();
    registry.desk.require({
      type: 'sigstoreSigned',
      keyData: Buffer.from(key.publicKey).toString('base64'),
      signedIdentity: { type: 'matchRepository' },
    });
    for (const which of signed) {
      const { digest } = registry[which];
      const document = sigstoreClaim(digest, `${registry.fake.host}/etcd`);
      const signature = signSigstore(key, document);
      await pushAttachments(registry.target, digest, [{ document, signature }]);
    }
    if (code === undefined) await registry.prepare('all');
    else await assertFails(code, () => registry.prepare('all'));
    // Nothing of an image that is not taken is fetched.
    const config = registry.fake.blobRequests.filter(({ url }) => !url.includes('.sig'));
    if (code !== undefined && signed.length === 0) assert.equal(config.length, 0);
  },
);

interface AttachmentRow {
  readonly name: string;
  readonly key?: 'ec' | 'ed25519' | 'rsa' | 'short-rsa';
  /** Changes a good signature. */
  readonly spoil?: (good: Attachment, other: Attachment) => readonly Attachment[];
  readonly code?: Parameters<typeof assertFails>[0];
}

each<AttachmentRow>(
  'sigstore attachments',
  [
    { name: 'ECDSA is taken' },
    { name: 'Ed25519 is taken', key: 'ed25519' },
    { name: 'RSA is taken', key: 'rsa' },
    { name: 'S20 a short RSA key', key: 'short-rsa', code: 'SIGNATURE_KEY_INVALID' },
    { name: 'S02 another key', spoil: (_, other) => [other], code: 'SIGNATURE_INVALID' },
    {
      name: 'S09 one good among bad ones',
      spoil: (good, other) => [other, { ...other, signature: '' }, good],
    },
    {
      name: 'S05 a changed document',
      spoil: (good) => [{ ...good, document: good.document.replace('null', '{}') }],
      code: 'SIGNATURE_INVALID',
    },
    {
      name: 'S20 a signature of ten bytes',
      key: 'ed25519',
      spoil: (good) => [{ ...good, signature: Buffer.alloc(10).toString('base64') }],
      code: 'SIGNATURE_INVALID',
    },
    {
      name: 'S05 a signature that is no base64',
      spoil: (good) => [{ ...good, signature: `${good.signature} ` }],
      code: 'SIGNATURE_INVALID',
    },
    {
      name: 'an attestation is no signature',
      spoil: (good) => [{ ...good, mediaType: 'application/vnd.dsse.envelope.v1+json' }],
      code: 'SIGNATURE_MISSING',
    },
    {
      name: 'R08 S32 129 of them',
      spoil: (good) => Array.from({ length: 129 }, () => good),
      code: 'SIGNATURE_INVALID',
    },
    {
      name: 'S32 a document of 100 KiB beside a good one',
      spoil: (good) => [{ document: 'x'.repeat(100 * 1024), signature: 'eA==' }, good],
    },
  ],
  async ({ key: kind, spoil, code }) => {
    await using registry = await SignedRegistry.start();
    const { desk, image } = registry;
    const key = makeSigstoreKey(kind);
    desk.require({
      type: 'sigstoreSigned',
      keyPath: desk.write('key.pub', key.publicKey),
      signedIdentity: { type: 'matchRepository' },
    });
    const document = sigstoreClaim(image.digest, `${registry.fake.host}/etcd`);
    const by = (signer: typeof key): Attachment => ({
      document,
      signature: signSigstore(signer, document),
    });
    const attached = spoil?.(by(key), by(makeSigstoreKey())) ?? [by(key)];
    await pushAttachments(registry.target, image.digest, attached);
    if (code === undefined) await registry.prepare('one');
    else await assertFails(code, () => registry.prepare('one'));
  },
);

test('S07 S08 sigstore signatures of another repository or manifest, and of the other kind of document', async () => {
  await using registry = await SignedRegistry.start();
  const { desk, image, other, fake } = registry;
  const key = makeSigstoreKey();
  desk.require({
    type: 'sigstoreSigned',
    keyPath: desk.write('key.pub', key.publicKey),
    signedIdentity: { type: 'matchRepository' },
  });
  for (const document of [
    sigstoreClaim(image.digest, `${fake.host}/shell`),
    sigstoreClaim(other.digest, `${fake.host}/etcd`),
    claimOf(image.digest, `${fake.host}/etcd`),
    `${sigstoreClaim(image.digest, `${fake.host}/etcd`)}}`,
  ]) {
    const signature = signSigstore(key, document);
    await pushAttachments(registry.target, image.digest, [{ document, signature }]);
    await assertFails('SIGNATURE_INVALID', () => registry.prepare('one'));
  }
});

test('S14 a registry that does not give its attachments is none without', async () => {
  await using registry = await SignedRegistry.start();
  const { desk, image, fake } = registry;
  const key = makeSigstoreKey();
  desk.require({ type: 'sigstoreSigned', keyPath: desk.write('key.pub', key.publicKey) });
  fake.interfere((request, response) => {
    if (request.url?.includes('.sig') !== true) return false;
    response.writeHead(500).end();
    return true;
  });
  await assertFails('SIGNATURE_UNAVAILABLE', () => registry.prepare('one'));
  // And attachments that nobody was told to look for are not looked for.
  desk.lookAt(`file://${desk.at('signatures')}`, false);
  const before = fake.seen.length;
  await assertFails('SIGNATURE_MISSING', () => registry.prepare('one'));
  assert.deepEqual(
    fake.seen.slice(before).map(({ url }) => url),
    ['/v2/etcd/manifests/one'],
  );
  assert.ok(digestOf(Buffer.from('')) !== image.digest);
});

test('M22 a list of signatures that is no manifest', async () => {
  await using registry = await SignedRegistry.start();
  const { desk, image, target } = registry;
  const key = makeSigstoreKey();
  desk.require({ type: 'sigstoreSigned', keyPath: desk.write('key.pub', key.publicKey) });
  await pushIndex(target, `${image.digest.replace(':', '-')}.sig`, []);
  await assertFails('SIGNATURE_INVALID', () => registry.prepare('one'));
});

test('S14 M22 what is wrong with signatures in the registry says nothing of those elsewhere', async () => {
  await using registry = await SignedRegistry.start();
  const { desk, image, target, fake } = registry;
  const folder = desk.at(`signatures/etcd@${image.digest.replace(':', '=')}`);
  mkdirSync(folder, { recursive: true });
  const simple = await keys.sign('good', claimOf(image.digest, `${fake.host}/etcd:one`));
  writeFileSync(join(folder, 'signature-1'), simple);
  await pushIndex(target, `${image.digest.replace(':', '-')}.sig`, []);
  desk.require(signedBy());
  await registry.prepare('one');
  // And a sigstore signature in a file does where the registry is out of order; without one, that is the error.
  const key = makeSigstoreKey();
  desk.require({
    type: 'sigstoreSigned',
    keyPath: desk.write('key.pub', key.publicKey),
    signedIdentity: { type: 'matchRepository' },
  });
  await assertFails('SIGNATURE_INVALID', () => registry.prepare('one'));
  const document = sigstoreClaim(image.digest, `${fake.host}/etcd`);
  const blob = {
    mimeType: 'application/vnd.dev.cosign.simplesigning.v1+json',
    payload: Buffer.from(document).toString('base64'),
    annotations: { 'dev.cosignproject.cosign/signature': signSigstore(key, document) },
  };
  writeFileSync(join(folder, 'signature-2'), `\0sigstore-json\n${JSON.stringify(blob)}`);
  await registry.prepare('one');
});
