import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { OperationalError } from '../../../src/errors/operational-error.js';
import { parseChallenges } from '../../../src/registry/challenge.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

const parse = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

each(
  'parseChallenges() reads',
  [
    {
      name: 'the hub',
      header:
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/etcd:pull,push"',
      want: [
        [
          'bearer',
          {
            realm: 'https://auth.docker.io/token',
            service: 'registry.docker.io',
            scope: 'repository:library/etcd:pull,push',
          },
        ],
      ],
    },
    {
      name: 'a password',
      header: 'Basic realm="a registry"',
      want: [['basic', { realm: 'a registry' }]],
    },
    {
      name: 'capitals and spaces',
      header: 'BEARER Realm = "x" , SERVICE=y',
      want: [['bearer', { realm: 'x', service: 'y' }]],
    },
    {
      name: 'a quoted quote',
      header: 'Basic realm="a \\"b\\" \\\\"',
      want: [['basic', { realm: 'a "b" \\' }]],
    },
    {
      name: 'two challenges',
      header: 'Basic realm="x", Bearer realm="y",service="z"',
      want: [
        ['basic', { realm: 'x' }],
        ['bearer', { realm: 'y', service: 'z' }],
      ],
    },
    {
      name: 'two headers joined',
      header: 'Negotiate, Basic realm="x"',
      want: [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    },
    {
      name: 'a token68',
      header: 'Negotiate YWJj==, Basic realm="x"',
      want: [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    },
    { name: 'a scheme alone', header: 'Basic', want: [['basic', {}]] },
    { name: 'nothing', header: '', want: [] },
  ] as { name: string; header: string; want: unknown }[],
  ({ header, want }) => {
    assert.deepEqual(parse(header), want);
  },
);

each(
  'parseChallenges() refuses',
  [
    { name: 'a parameter twice', header: 'Bearer realm="a",realm="b"' },
    { name: 'a parameter twice in other letters', header: 'Bearer realm="a",REALM="b"' },
    { name: 'no scheme', header: '="x"' },
    { name: 'an open quote', header: 'Bearer realm="x' },
    { name: '9 KiB', header: `Bearer realm="${'x'.repeat(9000)}"` },
  ],
  async ({ header }) => {
    await assertFails('REGISTRY_PROTOCOL', () => parseChallenges(header));
  },
);

test('parseChallenges() throws nothing but what a user can meet, and ends', () => {
  const pieces = fc.constantFrom('Bearer', ' ', ',', '=', '"', '\\', 'realm', 'a', '\u0000', '==');
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
      try {
        parseChallenges(parts.join(''));
      } catch (error) {
        assert.ok(error instanceof OperationalError, String(error));
      }
    }),
  );
});
