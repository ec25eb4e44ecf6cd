import assert from 'node:assert/strict';
import { test } from 'node:test';

import { shortenImage, shortenNames } from '../../../src/cli/output/shorten-image.js';
import { each } from '../../support/each.js';

const DIGEST = `sha256:20d523009092${'9'.repeat(52)}`;
const DEEP = `registry.example/${'team/'.repeat(8)}etcd`;

each(
  'shortenImage() gives',
  [
    { name: 'a short name', image: 'host:5000/etcd:v1', want: 'host:5000/etcd:v1' },
    {
      name: 'a name by digest',
      image: `host/etcd@${DIGEST}`,
      want: 'host/etcd@sha256:20d523009092…',
    },
    {
      name: 'a tag and a digest',
      image: `host/etcd:v1@${DIGEST}`,
      want: 'host/etcd:v1@sha256:20d523009092…',
    },
    {
      name: 'the end of a long name',
      image: `${DEEP}:v1`,
      want: `…${`${DEEP}:v1`.slice(-47)}`,
    },
    {
      name: 'the end of a long name by digest',
      image: `${DEEP}@${DIGEST}`,
      want: `…${`${DEEP}@sha256:20d523009092…`.slice(-47)}`,
    },
  ],
  ({ image, want }) => {
    assert.equal(shortenImage(image), want);
    assert.ok(want.length <= 48);
  },
);

test('of several names of an image the first is shown, and how many more there are', () => {
  assert.equal(shortenNames('docker.io/a:1'), 'docker.io/a:1');
  assert.equal(shortenNames('docker.io/a:1, docker.io/a:2, quay.io/b:1'), 'docker.io/a:1 +2');
  const names = 'docker.io/a:1, docker.io/a:2, quay.io/b:1';
  assert.equal(shortenNames(names, ['a:2']), 'docker.io/a:2 +2');
  assert.equal(shortenNames(names, ['quay', ':1']), 'quay.io/b:1 +2');
  assert.equal(shortenNames(names, ['none']), 'docker.io/a:1 +2');
});
