import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

import {
  assertRefusal,
  digestOf,
  locationOf,
  types,
  type Descriptor,
  type DistributionRule,
  type RegistryBed,
} from './rule.js';

type Document = Readonly<Record<string, unknown>>;

/** A document of some kind, whose parts are there already. */
interface Kind {
  readonly name: string;
  readonly make: (bed: RegistryBed) => Promise<Document>;
}

async function makeIndex(bed: RegistryBed, changes: Document = {}): Promise<Document> {
  const manifests: Descriptor[] = [];
  for (const architecture of ['amd64', 'arm64']) {
    const { mediaType, digest, size } = await bed.pushManifest(await bed.makeImage());
    manifests.push({
      ...{ mediaType, digest, size },
      ...{ platform: { os: 'linux', architecture } },
    });
  }
  return { schemaVersion: 2, mediaType: types.index, manifests, ...changes };
}

/** What is no image: one file of a type of its own. */
async function makeArtifact(bed: RegistryBed, changes: Document = {}): Promise<Document> {
  const config = { ...(await bed.pushBlob(Buffer.from('{}'))), mediaType: types.empty };
  const layer = { ...(await bed.pushBlob(randomBytes(64))), mediaType: types.example };
  return bed.makeImage({ artifactType: types.example, config, layers: [layer], ...changes });
}

const elsewhere = {
  mediaType: types.foreignLayer,
  digest: digestOf(Buffer.from('a layer that is elsewhere')),
  size: 123_456,
  urls: ['https://store.example.com/layer'],
};

const missing = { mediaType: types.manifest, digest: digestOf(Buffer.from('missing')), size: 123 };

const kinds: readonly Kind[] = [
  { name: 'an image', make: (bed) => bed.makeImage() },
  { name: 'an image of no layers', make: (bed) => bed.makeImage({ layers: [] }) },
  { name: 'an index', make: (bed) => makeIndex(bed) },
  { name: 'an empty index', make: (bed) => makeIndex(bed, { manifests: [] }) },
  {
    name: 'an index of indexes',
    make: async (bed) => {
      const { mediaType, digest, size } = await bed.pushManifest(await makeIndex(bed));
      return makeIndex(bed, { manifests: [{ mediaType, digest, size }] });
    },
  },
  { name: 'an artifact', make: (bed) => makeArtifact(bed) },
  {
    name: 'an index of an artifact type',
    make: (bed) => makeIndex(bed, { artifactType: types.example }),
  },
  {
    name: 'an image whose subject is not there yet',
    make: (bed) => bed.makeImage({ subject: missing }),
  },
  {
    name: 'an index whose subject is not there yet',
    make: (bed) => makeIndex(bed, { subject: missing }),
  },
  {
    name: 'an image with fields of its own',
    make: (bed) => bed.makeImage({ 'org.example': { a: [1] } }),
  },
  {
    name: 'an image with its configuration inside',
    make: async (bed) => {
      const bytes = Buffer.from('{"inside":true}');
      const config = {
        ...(await bed.pushBlob(bytes)),
        mediaType: types.config,
        data: bytes.toString('base64'),
      };
      return bed.makeImage({ config });
    },
  },
  {
    name: 'an image with layers that are elsewhere',
    make: (bed) => bed.makeImage({ layers: [elsewhere] }),
  },
  {
    // Four million bytes: all of 4 MiB need not be taken, and a little less has to be.
    name: 'an image of nearly 4 MiB',
    make: (bed) => bed.makeImage({ annotations: { large: 'A'.repeat(3_900_000) } }),
  },
];

/** distribution-spec v1.1, "Pushing Manifests". */
export const pushManifestRules: readonly DistributionRule[] = [
  ...kinds.map(({ name, make }): DistributionRule => ({
    name: `${name} is taken by tag and by digest, and given back`,
    check: async (bed: RegistryBed): Promise<void> => {
      const document = await make(bed);
      for (const reference of ['tag', undefined]) {
        const { bytes, mediaType, digest, answer } = await bed.pushManifest(document, reference);
        await bed.assertThere(locationOf(answer), { bytes, accept: mediaType });
        await bed.assertThere(`/manifests/${reference ?? digest}`, { bytes, accept: mediaType });
      }
    },
  })),
  {
    name: 'who pushes something with a subject is told that its referrers are listed',
    check: async (bed: RegistryBed): Promise<void> => {
      const { answer } = await bed.pushManifest(await bed.makeImage({ subject: missing }));
      assert.equal(answer.headers['oci-subject'], missing.digest);
    },
  },
  {
    name: 'a manifest under a digest that is none is refused',
    check: async (bed: RegistryBed): Promise<void> => {
      const bytes = Buffer.from(JSON.stringify(await bed.makeImage()));
      const put = { method: 'PUT', headers: { 'content-type': types.manifest }, body: bytes };
      assertRefusal(await bed.ask('/manifests/sha256:baddigeststring', put), [400, 404]);
    },
  },
  {
    name: 'a manifest under the digest of another one is refused',
    check: async (bed: RegistryBed): Promise<void> => {
      const bytes = Buffer.from(JSON.stringify(await bed.makeImage()));
      const put = { method: 'PUT', headers: { 'content-type': types.manifest }, body: bytes };
      const other = digestOf(Buffer.from('another one'));
      assertRefusal(
        await bed.ask(`/manifests/${other}`, put),
        [400],
        /^(DIGEST|MANIFEST)_INVALID$/,
      );
    },
  },
  {
    name: 'a manifest of blobs that are not there is refused',
    check: async (bed: RegistryBed): Promise<void> => {
      const layers = [
        { mediaType: types.layer, digest: digestOf(Buffer.from('nothing')), size: 7 },
      ];
      const body = Buffer.from(JSON.stringify(await bed.makeImage({ layers })));
      const put = { method: 'PUT', headers: { 'content-type': types.manifest }, body };
      assertRefusal(await bed.ask('/manifests/one', put), [400, 404], /^(MANIFEST_)?BLOB_UNKNOWN$/);
      assert.equal((await bed.ask('/manifests/one')).status, 404);
    },
  },
  {
    name: 'a tag that is moved means the new image, and the old one stays under its digest',
    check: async (bed: RegistryBed): Promise<void> => {
      const first = await bed.pushManifest(await bed.makeImage(), 'tag');
      const second = await bed.pushManifest(await bed.makeImage(), 'tag');
      await bed.assertThere('/manifests/tag', { bytes: second.bytes, accept: types.manifest });
      const old = `/manifests/${first.digest}`;
      await bed.assertThere(old, { bytes: first.bytes, accept: types.manifest });
    },
  },
];
