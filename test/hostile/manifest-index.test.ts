import assert from 'node:assert/strict';
import { test } from 'node:test';

import { digestOf, parseDigest, type Digest } from '../../src/oci/digest.js';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.js';
import { resolveManifest } from '../../src/images/resolve-manifest.js';
import type { ImageSource, ManifestDocument } from '../../src/transport/image-source.js';
import { assertFails } from '../support/assert-fails.js';
import { manifest } from '../support/documents.js';
import { amd64 } from '../support/pull-from.js';

interface Entry {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: unknown;
}

/** An image source of documents in memory, which are found by any digest that they are filed under. */
class Documents implements ImageSource {
  readonly name = 'test://documents';
  readonly storeName = 'documents';
  readonly identity = { transport: 'oci', path: '/documents' } as const;
  readonly read: (Digest | undefined)[] = [];
  readonly #byDigest = new Map<string, Buffer>();
  #top: Buffer = Buffer.alloc(0);

  add(document: unknown, mediaType = OCI_MANIFEST, digest?: string): Entry {
    const bytes = Buffer.from(JSON.stringify(document));
    const filed = digest ?? digestOf(bytes);
    this.#byDigest.set(filed, bytes);
    this.#top = bytes;
    return { mediaType, digest: filed, size: bytes.length };
  }

  addIndex(manifests: readonly Entry[], digest?: string): Entry {
    return this.add({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }, OCI_INDEX, digest);
  }

  readManifest(digest: Digest | undefined): Promise<ManifestDocument> {
    this.read.push(digest);
    if (this.read.length > 10_000) throw new Error('it reads for ever');
    const bytes = digest === undefined ? this.#top : this.#byDigest.get(digest);
    if (bytes === undefined) throw new Error(`there is no ${String(digest)}`);
    return Promise.resolve({ bytes, mediaType: undefined, digest: digest ?? digestOf(bytes) });
  }

  openBlob(): never {
    throw new Error('nothing but manifests is read');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // memory has nothing to close
  }
}

const linux = { os: 'linux', architecture: 'amd64' };
const attestation = { os: 'unknown', architecture: 'unknown' };
const { signal } = new AbortController();

const resolve = (documents: Documents) => resolveManifest(documents, { platform: amd64, signal });

test('M18 an image three indexes deep is found, attestations passed over', async () => {
  const documents = new Documents();
  const image = documents.add({ ...manifest, annotations: { it: 'is this one' } });
  const proof = documents.add({ ...manifest, annotations: { it: 'is an attestation' } });
  const inner = documents.addIndex([
    { ...proof, platform: attestation },
    { ...image, platform: linux },
  ]);
  const middle = documents.addIndex([{ ...inner, platform: undefined }]);
  const top = documents.addIndex([{ ...proof, platform: attestation }, middle]);
  const found = await resolve(documents);
  assert.equal(found.digest, image.digest);
  assert.equal(found.topDigest, top.digest);
  assert.ok(!documents.read.includes(parseDigest(proof.digest)));
});

test('M17 an index that contains itself is refused', async () => {
  const documents = new Documents();
  const digest = digestOf(Buffer.from('a digest that a broken hash would give'));
  const size = documents.addIndex([{ mediaType: OCI_INDEX, digest, size: 100 }]).size;
  documents.addIndex([{ mediaType: OCI_INDEX, digest, size }], digest);
  const error = await assertFails('MANIFEST_INVALID', () => resolve(documents));
  assert.match(error.message, /contains itself|bytes, expected/);
  assert.ok(documents.read.length < 5);
});

test('M17 indexes that go on for ever are refused', async () => {
  const documents = new Documents();
  let entry = documents.add(manifest);
  for (let depth = 0; depth < 50; depth++) entry = documents.addIndex([entry]);
  await assertFails('MANIFEST_INVALID', () => resolve(documents));
  assert.ok(documents.read.length < 10, `${documents.read.length} documents were read`);
  // control: without a limit the image is there to be found, 50 indexes down
  assert.equal(documents.read[0], undefined);
});

test('M17 an index as wide as it is deep does not keep berth reading', async () => {
  const documents = new Documents();
  let level: Entry[] = [documents.addIndex([])];
  for (let depth = 0; depth < 4; depth++) {
    level = Array.from({ length: 8 }, (_, number) =>
      documents.add(
        {
          schemaVersion: 2,
          mediaType: OCI_INDEX,
          manifests: level,
          annotations: { number: `${number}` },
        },
        OCI_INDEX,
      ),
    );
  }
  documents.addIndex(level);
  await assertFails('MANIFEST_INVALID', () => resolve(documents));
  assert.ok(documents.read.length < 50, `${documents.read.length} documents were read`);
});

test('M20 an index without our platform says what there is', async () => {
  const documents = new Documents();
  const image = documents.add(manifest);
  documents.addIndex([
    { ...image, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } },
    { ...image, platform: { os: 'windows', architecture: 'amd64\u001b[31m' } },
    { ...image, platform: attestation },
  ]);
  const error = await assertFails('PLATFORM_NOT_FOUND', () => resolve(documents));
  assert.match(
    error.message,
    /does not exist for linux\/amd64: there is 'linux\/arm\/v7', 'windows\/amd64\\x1b\[31m'$/,
  );
});

test('M20 an index of attestations alone holds no image', async () => {
  const documents = new Documents();
  const proof = documents.add(manifest);
  documents.addIndex([{ ...proof, platform: attestation }]);
  await assertFails('PLATFORM_NOT_FOUND', () => resolve(documents));
});

test('M02 a manifest that is something else than its index says is refused', async () => {
  const documents = new Documents();
  const inner = documents.addIndex([]);
  documents.addIndex([{ ...inner, mediaType: OCI_MANIFEST, platform: linux }]);
  await assertFails('MANIFEST_INVALID', () => resolve(documents));
});

test('M07 a manifest of another size than its index says is refused', async () => {
  const documents = new Documents();
  const image = documents.add(manifest);
  documents.addIndex([{ ...image, size: image.size + 1, platform: linux }]);
  await assertFails('CONTENT_MISMATCH', () => resolve(documents));
});

test('M21 M22 what is chosen is what is given back, whatever stands before it', async () => {
  const documents = new Documents();
  const other = documents.add({ ...manifest, annotations: { it: 'is signed, and for others' } });
  const first = documents.add({ ...manifest, annotations: { it: 'is the first of ours' } });
  const second = documents.add({ ...manifest, annotations: { it: 'is the second of ours' } });
  documents.addIndex([
    { ...other, platform: { os: 'linux', architecture: 'arm64' } },
    { ...first, platform: linux },
    { ...second, platform: linux },
  ]);
  const found = await resolve(documents);
  assert.equal(found.digest, first.digest);
  assert.equal(digestOf(found.bytes), first.digest);
});
