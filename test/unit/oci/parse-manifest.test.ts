import assert from 'node:assert/strict';
import { test } from 'node:test';

import { digestOf } from '../../../src/oci/digest.js';
import {
  DOCKER_MANIFEST,
  DOCKER_MANIFEST_LIST,
  OCI_INDEX,
  OCI_MANIFEST,
} from '../../../src/oci/media-types.js';
import { parseManifest } from '../../../src/oci/parse-manifest.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { config, digest, index, layer, manifest } from '../../support/documents.js';

const what = 'the manifest';

function parse(document: unknown, expected: { contentType?: string; promisedType?: string } = {}) {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  return parseManifest(Buffer.from(text), { what, ...expected });
}

test('parseManifest() reads an OCI manifest', () => {
  const parsed = parse({ ...manifest, annotations: { a: 'b' } });
  assert.equal(parsed.kind, 'manifest');
  assert.equal(parsed.manifest.mediaType, OCI_MANIFEST);
  assert.equal(parsed.manifest.config.digest, digest);
  assert.equal(parsed.manifest.layers.length, 1);
  assert.deepEqual({ ...parsed.manifest.annotations }, { a: 'b' });
});

test('parseManifest() reads an OCI index with platforms', () => {
  const parsed = parse(index);
  assert.equal(parsed.kind, 'index');
  assert.deepEqual(parsed.index.manifests[0]?.platform, {
    os: 'linux',
    architecture: 'amd64',
    variant: undefined,
    osVersion: undefined,
  });
});

each(
  'parseManifest() accepts',
  [
    {
      name: 'Docker schema 2',
      document: {
        ...manifest,
        mediaType: DOCKER_MANIFEST,
        config: { ...config, mediaType: 'application/vnd.docker.container.image.v1+json' },
        layers: [{ ...layer, mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' }],
      },
      want: DOCKER_MANIFEST,
    },
    {
      name: 'a Docker manifest list',
      document: { ...index, mediaType: DOCKER_MANIFEST_LIST },
      want: DOCKER_MANIFEST_LIST,
    },
    {
      name: 'M03 no mediaType',
      document: { ...manifest, mediaType: undefined },
      want: OCI_MANIFEST,
    },
    {
      name: 'M03 no mediaType, but one of the server',
      document: { ...manifest, mediaType: undefined },
      contentType: `${DOCKER_MANIFEST}; charset=utf-8`,
      want: DOCKER_MANIFEST,
    },
    {
      name: 'a server that says application/json',
      document: manifest,
      contentType: 'application/json',
      want: OCI_MANIFEST,
    },
    {
      name: 'M25 a subject',
      document: { ...manifest, subject: { ...config, digest } },
      want: OCI_MANIFEST,
    },
    {
      name: 'M06 keys of prototypes',
      document: `{"__proto__":{"layers":[]},${JSON.stringify(manifest).slice(1)}`,
      want: OCI_MANIFEST,
    },
    { name: 'unknown members', document: { ...manifest, futureMember: [1] }, want: OCI_MANIFEST },
    { name: 'null annotations', document: { ...manifest, annotations: null }, want: OCI_MANIFEST },
    {
      name: 'R24 urls, which are not read',
      document: { ...manifest, layers: [{ ...layer, urls: ['http://169.254.169.254/'] }] },
      want: OCI_MANIFEST,
    },
    {
      name: 'R55 sha512',
      document: {
        ...manifest,
        layers: [{ ...layer, digest: digestOf(Buffer.from('x'), 'sha512') }],
      },
      want: OCI_MANIFEST,
    },
    { name: 'an empty index', document: { ...index, manifests: [] }, want: OCI_INDEX },
  ] as { name: string; document: unknown; contentType?: string; want: string }[],
  ({ document, contentType, want }) => {
    const parsed = parse(document, contentType === undefined ? {} : { contentType });
    const { mediaType } = parsed.kind === 'index' ? parsed.index : parsed.manifest;
    assert.equal(mediaType, want);
  },
);

each(
  'parseManifest() refuses as malformed',
  [
    { name: 'M01 manifests and layers', document: { ...manifest, manifests: [] } },
    { name: 'M01 manifests and config', document: { ...index, config } },
    { name: 'M01 manifests and null layers', document: { ...index, layers: null } },
    { name: 'neither', document: { schemaVersion: 2, mediaType: OCI_MANIFEST } },
    {
      name: 'M02 the body says index, the shape manifest',
      document: { ...manifest, mediaType: OCI_INDEX },
    },
    {
      name: 'M02 the body says manifest, the shape index',
      document: { ...index, mediaType: OCI_MANIFEST },
    },
    { name: 'M02 the server says otherwise', document: manifest, contentType: DOCKER_MANIFEST },
    { name: 'M02 the descriptor says otherwise', document: manifest, promisedType: OCI_INDEX },
    {
      name: 'M02 descriptor and server differ, the body is silent',
      document: { ...manifest, mediaType: undefined },
      contentType: DOCKER_MANIFEST,
      promisedType: OCI_MANIFEST,
    },
    { name: 'M12 layers missing', document: { ...manifest, layers: undefined } },
    { name: 'M12 layers null', document: { ...manifest, layers: null } },
    { name: 'M12 layers an object', document: { ...manifest, layers: {} } },
    { name: 'M12 layers empty', document: { ...manifest, layers: [] } },
    { name: 'M12 a layer null', document: { ...manifest, layers: [null] } },
    { name: 'M13 config missing', document: { ...manifest, config: undefined } },
    { name: 'M13 config null', document: { ...manifest, config: null } },
    { name: 'schemaVersion missing', document: { ...manifest, schemaVersion: undefined } },
    { name: 'schemaVersion 3', document: { ...manifest, schemaVersion: 3 } },
    { name: 'schemaVersion text', document: { ...manifest, schemaVersion: '2' } },
    {
      name: 'M07 size 2^53+1',
      document: JSON.stringify(manifest).replace('"size":2', '"size":9007199254740993'),
    },
    { name: 'M07 size -0', document: JSON.stringify(manifest).replace('"size":2', '"size":-0') },
    { name: 'M07 size -1', document: { ...manifest, layers: [{ ...layer, size: -1 }] } },
    { name: 'M07 size 1.5', document: { ...manifest, layers: [{ ...layer, size: 1.5 }] } },
    { name: 'M07 size text', document: { ...manifest, layers: [{ ...layer, size: '123' }] } },
    { name: 'M07 size true', document: { ...manifest, layers: [{ ...layer, size: true }] } },
    { name: 'size missing', document: { ...manifest, layers: [{ ...layer, size: undefined }] } },
    {
      name: 'M10 a NUL in a type',
      document: { ...manifest, layers: [{ ...layer, mediaType: 'a/b\0' }] },
    },
    {
      name: 'a type that is none',
      document: { ...manifest, layers: [{ ...layer, mediaType: 'tar' }] },
    },
    {
      name: 'a digest with a path in it',
      document: { ...manifest, layers: [{ ...layer, digest: 'sha256:../../../etc/passwd' }] },
    },
    {
      name: 'an unknown algorithm',
      document: { ...manifest, layers: [{ ...layer, digest: `blake3:${'a'.repeat(64)}` }] },
    },
    { name: 'an annotation that is no text', document: { ...manifest, annotations: { a: 1 } } },
    {
      name: 'data that does not match',
      document: { ...manifest, config: { ...config, data: 'AAAA', size: 3 } },
    },
    {
      name: 'data that is not base64',
      document: { ...manifest, config: { ...config, data: '!' } },
    },
    { name: '4097 layers', document: { ...manifest, layers: Array(4097).fill(layer) } },
    {
      name: 'a platform without architecture',
      document: { ...index, manifests: [{ ...manifest, platform: { os: 'linux' } }] },
    },
  ] as { name: string; document: unknown; contentType?: string; promisedType?: string }[],
  async ({ document, contentType, promisedType }) => {
    await assertFails('MANIFEST_INVALID', () =>
      parse(document, {
        ...(contentType === undefined ? {} : { contentType }),
        ...(promisedType === undefined ? {} : { promisedType }),
      }),
    );
  },
);

each(
  'parseManifest() refuses as JSON',
  [
    { name: 'M04 a key twice', document: JSON.stringify(manifest).replace('{', '{"layers":[],') },
    {
      name: 'M04 a key twice inside',
      document: JSON.stringify(manifest).replace('"size":2', '"size":2,"size":3'),
    },
    {
      name: 'M05 Layers and layers',
      document: JSON.stringify(manifest).replace('{', '{"Layers":[],'),
    },
    {
      name: 'M07 size 1e400',
      document: JSON.stringify(manifest).replace('"size":2', '"size":1e400'),
    },
    {
      name: 'M08 100,000 nested lists',
      document: `{"schemaVersion":2,"layers":${'['.repeat(100_000)}`,
    },
    { name: 'M11 text behind', document: `${JSON.stringify(manifest)}{}` },
    { name: 'a list', document: '[' },
    { name: 'nothing', document: '' },
  ],
  async ({ document }) => {
    await assertFails('JSON_INVALID', () => parse(document));
  },
);

each(
  'parseManifest() refuses what is no image that berth takes',
  [
    { name: 'M23 schema 1', document: { schemaVersion: 1, name: 'a', fsLayers: [], history: [] } },
    {
      name: 'M23 schema 1, signed',
      document: { schemaVersion: 1, fsLayers: [] },
      contentType: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
    },
    { name: 'M23 schema 1 under the name of 2', document: { ...manifest, fsLayers: [] } },
    {
      name: 'M13 a Helm chart',
      document: {
        ...manifest,
        config: { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' },
      },
    },
    {
      name: 'M13 an artifact',
      document: {
        ...manifest,
        artifactType: 'application/x-thing',
        config: { ...config, mediaType: 'application/vnd.oci.empty.v1+json' },
      },
    },
    {
      name: 'R37 a layer of an unknown suffix',
      document: {
        ...manifest,
        layers: [{ ...layer, mediaType: 'application/vnd.oci.image.layer.v1.tar+foo' }],
      },
    },
    {
      name: 'R37 a layer of bzip2',
      document: {
        ...manifest,
        layers: [{ ...layer, mediaType: 'application/vnd.oci.image.layer.v1.tar+bzip2' }],
      },
    },
    {
      name: 'R37 an encrypted layer',
      document: {
        ...manifest,
        layers: [{ ...layer, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted' }],
      },
    },
    {
      name: 'a layer of a prototype member',
      document: { ...manifest, layers: [{ ...layer, mediaType: 'a/constructor' }] },
    },
  ] as { name: string; document: unknown; contentType?: string }[],
  async ({ document, contentType }) => {
    await assertFails('MANIFEST_UNSUPPORTED', () =>
      parse(document, contentType === undefined ? {} : { contentType }),
    );
  },
);

test('parseManifest() hints at what to do about schema 1', async () => {
  const error = await assertFails('MANIFEST_UNSUPPORTED', () => parse({ schemaVersion: 1 }));
  assert.match(error.hint ?? '', /push the image again/);
});

test('parseManifest() takes 4 MiB and not a byte more R05', async () => {
  const text = JSON.stringify(manifest);
  const padded = (size: number) => text + ' '.repeat(size - text.length);
  assert.equal(parse(padded(4 * 1024 * 1024)).kind, 'manifest');
  await assertFails('LIMIT_EXCEEDED', () => parse(padded(4 * 1024 * 1024 + 1)));
});

test('a reader that folds case as Go does takes other layers from M05, which shows why it is refused', () => {
  const text = '{"layers":["seen by us"],"Layers":["seen by Go"]}';
  const folded = Object.fromEntries(
    Object.entries(JSON.parse(text) as Record<string, unknown>).map(([key, value]) => [
      key.toLowerCase(),
      value,
    ]),
  );
  assert.deepEqual(folded['layers'], ['seen by Go']);
  assert.deepEqual((JSON.parse(text) as Record<string, unknown>)['layers'], ['seen by us']);
});
