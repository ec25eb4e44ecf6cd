import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseDigest } from '../../../src/oci/digest.js';
import {
  blobRef,
  decodeName,
  encodeName,
  fullName,
  nameRef,
  parseImageRef,
} from '../../../src/store/ostree/ref-names.js';
import { each } from '../../support/each.js';

const HEX = '0123456789abcdef'.repeat(4);

// The first five are the cases of containers/image's own test of its encoding.
each(
  'encodes names as containers/image did',
  [
    { name: 'busybox:notlatest', ref: 'busybox_3Anotlatest' },
    { name: 'busybox:latest', ref: 'busybox_3Alatest' },
    {
      name: 'docker.io/library/busybox:latest',
      ref: 'docker.io_2Flibrary_2Fbusybox_3Alatest',
    },
    { name: '127.0.0.1:5000/busybox:latest', ref: '127.0.0.1_3A5000_2Fbusybox_3Alatest' },
    { name: `busybox@sha256:${HEX}`, ref: `busybox_40sha256_3A${HEX}` },
    { name: 'a_b/c-d.e:1', ref: 'a_5Fb_2Fc-d.e_3A1' },
  ],
  ({ name, ref }) => {
    assert.equal(nameRef(name), `ociimage/${ref}`);
    assert.equal(decodeName(ref), name);
  },
);

each(
  'reads refs',
  [
    {
      name: 'a short name',
      ref: 'ociimage/etcd_3A3',
      want: { kind: 'name', name: 'etcd:3' },
    },
    {
      name: 'a name without tag',
      ref: 'ociimage/quay.io_2Fx_2Fetcd',
      want: { kind: 'name', name: 'quay.io/x/etcd' },
    },
    {
      name: 'a digest',
      ref: `ociimage/quay.io_2Fx_40sha256_3A${HEX}`,
      want: { kind: 'name', name: `quay.io/x@sha256:${HEX}` },
    },
    {
      name: 'a name that is no reference',
      ref: 'ociimage/Not_20one',
      want: { kind: 'name', name: 'Not one' },
    },
    { name: 'a blob', ref: `ociimage/${HEX}`, want: { kind: 'blob', hex: HEX } },
    { name: 'a sha512 blob', ref: `ociimage/${HEX}${HEX}`, want: { kind: 'blob', hex: HEX + HEX } },
    { name: 'an operating system', ref: 'fedora/29/x86_64/silverblue', want: undefined },
    { name: 'a wrong escape', ref: 'ociimage/x_3', want: undefined },
    { name: 'a path', ref: 'ociimage/x/y', want: undefined },
    { name: 'bytes that are no text', ref: 'ociimage/_FF', want: undefined },
    { name: 'nothing', ref: 'ociimage/', want: undefined },
  ],
  ({ ref, want }) => {
    assert.deepEqual(parseImageRef(ref), want);
  },
);

each(
  'says names in full',
  [
    { name: 'etcd', want: 'docker.io/library/etcd:latest' },
    { name: 'x/etcd:3', want: 'docker.io/x/etcd:3' },
    { name: 'quay.io/x/etcd', want: 'quay.io/x/etcd:latest' },
    { name: `quay.io/x@sha256:${HEX}`, want: `quay.io/x@sha256:${HEX}` },
    { name: 'Not one', want: 'Not one' },
  ],
  ({ name, want }) => {
    assert.equal(fullName(name), want);
  },
);

test('the encoding can be undone for every text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      assert.equal(decodeName(encodeName(name)), name);
      assert.match(encodeName(name), /^[A-Za-z0-9.\-_]*$/);
    }),
  );
});

test('a blob is named by the hexadecimal part alone', () => {
  assert.equal(blobRef(parseDigest(`sha256:${HEX}`)), `ociimage/${HEX}`);
});
