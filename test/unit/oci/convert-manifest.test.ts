import assert from 'node:assert/strict';
import { test } from 'node:test';

import { convertManifest, type ConvertedManifest } from '../../../src/oci/convert-manifest.js';
import { digestOf } from '../../../src/oci/digest.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const OCI = 'application/vnd.oci.image.manifest.v1+json';
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';

const blob = (mediaType: string, more: object = {}) => ({
  mediaType,
  digest: digestOf(Buffer.from(mediaType)),
  size: 7,
  ...more,
});

const docker = {
  schemaVersion: 2,
  mediaType: DOCKER,
  config: blob('application/vnd.docker.container.image.v1+json'),
  layers: [
    blob('application/vnd.docker.image.rootfs.diff.tar'),
    blob('application/vnd.docker.image.rootfs.diff.tar.gzip'),
    blob('application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', {
      urls: ['https://example.com/x'],
    }),
  ],
};

const oci = {
  schemaVersion: 2,
  mediaType: OCI,
  config: { ...docker.config, mediaType: 'application/vnd.oci.image.config.v1+json' },
  layers: [
    { ...docker.layers[0], mediaType: 'application/vnd.oci.image.layer.v1.tar' },
    { ...docker.layers[1], mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' },
    {
      ...docker.layers[2],
      mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    },
  ],
};

const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const parse = ({ bytes }: ConvertedManifest): unknown => JSON.parse(Buffer.from(bytes).toString());
const none = new Map<string, ConvertedManifest>();

each(
  'convertManifest() puts into the other format',
  [
    { name: 'docker to oci', from: docker, format: 'oci', want: oci },
    { name: 'oci to docker', from: oci, format: 'docker', want: docker },
    {
      name: 'annotations, which docker has none of',
      from: {
        ...oci,
        layers: oci.layers.map((layer) => ({ ...layer, annotations: { a: 'b' } })),
        annotations: { 'org.opencontainers.image.version': '1' },
      },
      format: 'docker',
      want: docker,
    },
  ] as const,
  ({ from, format, want }) => {
    const made = convertManifest({ bytes: bytesOf(from) }, { format, what: 'it', converted: none });
    assert.deepEqual(parse(made), want);
    assert.equal(made.mediaType, want.mediaType);
    assert.equal(made.digest, digestOf(made.bytes));
  },
);

each(
  'convertManifest() leaves as it is, byte for byte,',
  [
    { name: 'docker for docker', document: docker, format: 'docker' },
    { name: 'oci for oci', document: { ...oci, annotations: { a: 'b' } }, format: 'oci' },
    {
      name: 'an artifact for oci',
      document: { ...oci, artifactType: 'a/b', layers: [blob('a/c')] },
      format: 'oci',
    },
  ] as const,
  ({ document, format }) => {
    const bytes = Buffer.from(JSON.stringify(document, null, 3));
    const made = convertManifest({ bytes }, { format, what: 'it', converted: none });
    assert.equal(made.bytes, bytes);
    assert.equal(made.digest, digestOf(bytes));
  },
);

each(
  'convertManifest() refuses for docker',
  [
    {
      name: 'zstd of an encrypted kind',
      layer: 'application/vnd.oci.image.layer.v1.tar+encrypted',
    },
    { name: 'an attestation', layer: 'application/vnd.in-toto+json' },
  ],
  async ({ layer }) => {
    const document = { ...oci, layers: [blob(layer)] };
    await assertFails('MANIFEST_UNSUPPORTED', () =>
      convertManifest(
        { bytes: bytesOf(document) },
        { format: 'docker', what: 'it', converted: none },
      ),
    );
  },
);

test('convertManifest() lists in an index what its manifests have become, and keeps their platforms', () => {
  const child = bytesOf(docker);
  const platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };
  const list = {
    schemaVersion: 2,
    mediaType: DOCKER_LIST,
    manifests: [{ mediaType: DOCKER, digest: digestOf(child), size: child.length, platform }],
  };
  const made = convertManifest({ bytes: child }, { format: 'oci', what: 'it', converted: none });
  const converted = new Map<string, ConvertedManifest>([[digestOf(child), made]]);
  const index = convertManifest({ bytes: bytesOf(list) }, { format: 'oci', what: 'it', converted });
  assert.deepEqual(parse(index), {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [{ mediaType: OCI, digest: made.digest, size: made.bytes.length, platform }],
  });
});
