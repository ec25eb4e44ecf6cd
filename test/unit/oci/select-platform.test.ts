import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseManifest } from '../../../src/oci/parse-manifest.js';
import {
  formatPlatform,
  isCompatible,
  listPlatforms,
  rankManifests,
} from '../../../src/oci/select-platform.js';
import { index } from '../../support/documents.js';
import { each } from '../../support/each.js';

/** An index of `OS/ARCH[/VARIANT]` or '' for none; the digest of each tells its place. */
function indexOf(platforms: readonly (string | Readonly<Record<string, unknown>>)[]) {
  const [template] = index.manifests;
  const manifests = platforms.map((text, place) => {
    const digest = `sha256:${String(place).padStart(64, '0')}`;
    if (typeof text !== 'string') return { ...template, platform: undefined, digest, ...text };
    const [os, architecture, variant] = text.split('/');
    return {
      ...template,
      digest,
      platform: text === '' ? undefined : { os, architecture, variant },
    };
  });
  const parsed = parseManifest(Buffer.from(JSON.stringify({ ...index, manifests })), {
    what: 'it',
  });
  assert.equal(parsed.kind, 'index');
  return parsed.index;
}

const rank = (
  wanted: string,
  platforms: readonly (string | Readonly<Record<string, unknown>>)[],
) => {
  const [os = '', architecture = '', variant] = wanted.split('/');
  return rankManifests(indexOf(platforms), { os, architecture, variant }).map(({ digest }) =>
    Number(digest.slice(-4)),
  );
};

each(
  'rankManifests() puts first',
  [
    {
      name: 'the only match',
      wanted: 'linux/amd64',
      there: ['linux/arm64', 'linux/amd64'],
      want: [1],
    },
    {
      name: 'M21 the first of several',
      wanted: 'linux/amd64',
      there: ['linux/amd64', 'linux/amd64'],
      want: [0, 1],
    },
    {
      name: 'the nearest variant of arm',
      wanted: 'linux/arm/v7',
      there: ['linux/arm/v5', 'linux/arm/v6', 'linux/arm/v7'],
      want: [2, 1, 0],
    },
    {
      name: 'nothing above the host',
      wanted: 'linux/arm/v6',
      there: ['linux/arm/v7', 'linux/arm/v5'],
      want: [1],
    },
    {
      name: 'v7 where a host says nothing',
      wanted: 'linux/arm',
      there: ['linux/arm/v6', 'linux/arm/v7', 'linux/arm/v8'],
      want: [1, 0],
    },
    {
      name: 'an arm image without variant last',
      wanted: 'linux/arm/v7',
      there: ['linux/arm', 'linux/arm/v6'],
      want: [1, 0],
    },
    {
      name: 'the best that a CPU can',
      wanted: 'linux/amd64/v3',
      there: ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v3', 'linux/amd64/v4'],
      want: [2, 1, 0],
    },
    {
      name: 'the baseline for a plain CPU',
      wanted: 'linux/amd64',
      there: ['linux/amd64/v3', 'linux/amd64/v1'],
      want: [1],
    },
    { name: 'arm64 v8 as arm64', wanted: 'linux/arm64', there: ['linux/arm64/v8'], want: [0] },
    { name: 'another spelling', wanted: 'linux/amd64', there: ['linux/x86_64'], want: [0] },
    {
      name: 'an entry without platform last',
      wanted: 'linux/amd64',
      there: ['', 'linux/amd64'],
      want: [1, 0],
    },
    {
      name: 'M20 nothing for another platform',
      wanted: 'linux/riscv64',
      there: ['linux/amd64', 'unknown/unknown'],
      want: [],
    },
    {
      name: 'M20 no attestation',
      wanted: 'linux/amd64',
      there: [
        'unknown/unknown',
        { annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } },
      ],
      want: [],
    },
    {
      name: 'no artifact',
      wanted: 'linux/amd64',
      there: [{ artifactType: 'application/x' }, { mediaType: 'application/x' }],
      want: [],
    },
    {
      name: 'no other system',
      wanted: 'linux/amd64',
      there: ['windows/amd64', 'freebsd/amd64'],
      want: [],
    },
  ],
  ({ wanted, there, want }) => {
    assert.deepEqual(rank(wanted, there), want);
  },
);

test('listPlatforms() names each once, and no attestation', () => {
  const there = indexOf(['linux/amd64', 'linux/arm/v7', 'linux/amd64', 'unknown/unknown', '']);
  assert.deepEqual(listPlatforms(there), ['linux/amd64', 'linux/arm/v7']);
});

test('isCompatible() holds a single manifest to the host', () => {
  const host = { os: 'linux', architecture: 'amd64', variant: 'v2' };
  assert.equal(isCompatible({ os: 'linux', architecture: 'amd64' }, host), true);
  assert.equal(isCompatible({ os: 'linux', architecture: 'amd64', variant: 'v2' }, host), true);
  assert.equal(isCompatible({ os: 'linux', architecture: 'amd64', variant: 'v3' }, host), false);
  assert.equal(isCompatible({ os: 'linux', architecture: 'arm64' }, host), false);
  assert.equal(isCompatible({ os: 'windows', architecture: 'amd64' }, host), false);
});

test('formatPlatform() leaves out what is not there', () => {
  assert.equal(formatPlatform({ os: 'linux', architecture: 'arm', variant: 'v7' }), 'linux/arm/v7');
  assert.equal(formatPlatform({ os: 'linux', architecture: 'amd64' }), 'linux/amd64');
});
