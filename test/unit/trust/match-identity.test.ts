import assert from 'node:assert/strict';

import { parseReference, type QualifiedReference } from '../../../src/oci/reference.js';
import { matchesIdentity } from '../../../src/trust/match-identity.js';
import type { SignedIdentity } from '../../../src/trust/policy.js';
import { each } from '../../support/each.js';

const named = (text: string): QualifiedReference => parseReference(text) as QualifiedReference;
const DIGEST = `sha256:${'0'.repeat(64)}`;
const OTHER = `sha256:${'1'.repeat(64)}`;

/** Of image and signature: what each of the three kinds that go by the image's own name says. */
const rows = [
  { image: 'a.example/b:1', signed: 'a.example/b:1', exact: true, orExact: true, repository: true },
  {
    image: 'a.example/b:1',
    signed: 'a.example/b:2',
    exact: false,
    orExact: false,
    repository: true,
  },
  { image: 'a.example/b:1', signed: 'a.example/b', exact: false, orExact: false, repository: true },
  {
    image: 'a.example/b:1',
    signed: `a.example/b@${DIGEST}`,
    exact: false,
    orExact: false,
    repository: true,
  },
  {
    image: 'a.example/b:1',
    signed: 'a.example/c:1',
    exact: false,
    orExact: false,
    repository: false,
  },
  {
    image: 'a.example/b:1',
    signed: 'b.example/b:1',
    exact: false,
    orExact: false,
    repository: false,
  },
  {
    image: 'a.example/b:1',
    signed: 'a.example/b:1/',
    exact: false,
    orExact: false,
    repository: false,
  },
  { image: 'a.example/b:1', signed: '', exact: false, orExact: false, repository: false },
  {
    image: `a.example/b@${DIGEST}`,
    signed: 'a.example/b:1',
    exact: false,
    orExact: true,
    repository: true,
  },
  {
    image: `a.example/b@${DIGEST}`,
    signed: 'a.example/b',
    exact: false,
    orExact: false,
    repository: true,
  },
  {
    image: `a.example/b@${DIGEST}`,
    signed: `a.example/b@${DIGEST}`,
    exact: true,
    orExact: true,
    repository: true,
  },
  // Which content it is for is another question.
  {
    image: `a.example/b@${DIGEST}`,
    signed: `a.example/b@${OTHER}`,
    exact: false,
    orExact: true,
    repository: true,
  },
  {
    image: `a.example/b@${DIGEST}`,
    signed: 'a.example/c:1',
    exact: false,
    orExact: false,
    repository: false,
  },
  { image: 'docker.io/library/b:1', signed: 'b:1', exact: true, orExact: true, repository: true },
  {
    image: 'docker.io/library/b:1',
    signed: 'library/b:1',
    exact: true,
    orExact: true,
    repository: true,
  },
  { image: 'docker.io/user/b:1', signed: 'b:1', exact: false, orExact: false, repository: false },
];

each(
  'S07 identities by the name of the image',
  rows.map((row) => ({ name: `${row.image} signed as ${row.signed}`, ...row })),
  ({ image, signed, exact, orExact, repository }) => {
    const check = (type: 'matchExact' | 'matchRepoDigestOrExact' | 'matchRepository'): boolean =>
      matchesIdentity({ type }, signed, named(image));
    assert.deepEqual(
      [check('matchExact'), check('matchRepoDigestOrExact'), check('matchRepository')],
      [exact, orExact, repository],
    );
  },
);

const remap = (prefix: string, signedPrefix: string): SignedIdentity => ({
  type: 'remapIdentity',
  prefix,
  signedPrefix,
});

each(
  'S07 identities by what the policy names',
  [
    {
      name: 'the exact reference, whatever the image is called',
      identity: { type: 'exactReference', reference: named('v.example/b:1') },
      image: 'mirror.example/x:9',
      good: ['v.example/b:1'],
      bad: ['v.example/b:2', 'v.example/b', 'mirror.example/x:9'],
    },
    {
      name: 'the repository, whatever the image is called',
      identity: { type: 'exactRepository', repository: named('v.example/b') },
      image: undefined,
      good: ['v.example/b:1', 'v.example/b'],
      bad: ['v.example/b2:1', 'v.example/b/c:1'],
    },
    {
      name: 'a mirror of a whole host',
      identity: remap('mirror.example:5000', 'v.example'),
      image: 'mirror.example:5000/ns/b:1',
      good: ['v.example/ns/b:1'],
      bad: ['mirror.example:5000/ns/b:1', 'v.example/ns/b:2', 'v.example/ns/b'],
    },
    {
      name: 'a mirror of a namespace below another one',
      identity: remap('mirror.example/cache/v', 'v.example'),
      image: 'mirror.example/cache/v/ns/b:1',
      good: ['v.example/ns/b:1'],
      bad: ['v.example/cache/v/ns/b:1'],
    },
    {
      name: 'a prefix of letters is none: the name stays',
      identity: remap('mirror.example/ca', 'v.example'),
      image: 'mirror.example/cache/b:1',
      good: ['mirror.example/cache/b:1'],
      bad: ['v.example/che/b:1'],
    },
    {
      name: 'a remapped digest takes any tag of the repository',
      identity: remap('mirror.example', 'v.example'),
      image: `mirror.example/b@${DIGEST}`,
      good: ['v.example/b:1', 'v.example/b:2'],
      bad: ['v.example/c:1', 'mirror.example/b:1'],
    },
    {
      name: 'what is remapped to a short name of the hub is none',
      identity: remap('mirror.example', 'docker.io'),
      image: 'mirror.example/b:1',
      good: [],
      bad: ['docker.io/library/b:1', 'b:1', 'mirror.example/b:1'],
    },
    {
      name: 'an image without a name matches none that goes by it',
      identity: { type: 'matchRepository' },
      image: undefined,
      good: [],
      bad: ['v.example/b:1', ''],
    },
  ] as const,
  ({ identity, image, good, bad }) => {
    const reference = image === undefined ? undefined : named(image);
    for (const signed of good) assert.ok(matchesIdentity(identity, signed, reference), signed);
    for (const signed of bad) assert.ok(!matchesIdentity(identity, signed, reference), signed);
  },
);
