import assert from 'node:assert/strict';

import { formatReference } from '../../../src/oci/reference.js';
import { parseImageName } from '../../../src/transport/parse-image-name.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

each(
  'parseImageName() takes as a registry reference',
  [
    { name: 'etcd', want: 'etcd' },
    { name: 'etcd:3.5', want: 'etcd:3.5' },
    { name: 'localhost:5000/etcd', want: 'localhost:5000/etcd' },
    { name: 'docker://etcd:1', want: 'etcd:1' },
    { name: 'docker://quay.io/a/b', want: 'quay.io/a/b' },
    { name: 'docker:etcd', want: 'etcd' },
    { name: 'http:registry.example/etcd:1', want: 'registry.example/etcd:1', scheme: 'http' },
    {
      name: 'https:registry.example:5000/etcd',
      want: 'registry.example:5000/etcd',
      scheme: 'https',
    },
    { name: 'oci:docker.io/gscrivano/etcd:1', want: 'docker.io/gscrivano/etcd:1' },
    { name: 'oci:localhost:5000/etcd', want: 'localhost:5000/etcd' },
    { name: 'oci:host:5000/etcd', want: 'host:5000/etcd' },
  ] as { name: string; want: string; scheme?: string }[],
  ({ name, want, scheme }) => {
    const parsed = parseImageName(name, '/work');
    assert.equal(parsed.kind, 'registry');
    assert.equal(formatReference(parsed.reference), want);
    assert.equal(parsed.scheme, scheme);
  },
);

each(
  'parseImageName() takes as a layout',
  [
    { name: 'oci:/media/usb/etcd', path: '/media/usb/etcd', imageName: undefined },
    { name: 'oci:/media/usb/etcd:3.5', path: '/media/usb/etcd', imageName: '3.5' },
    { name: 'oci:layout:a/b:c', path: '/work/layout', imageName: 'a/b:c' },
    { name: 'oci:./docker.io/x', path: '/work/docker.io/x', imageName: undefined },
    { name: 'oci:../x', path: '/x', imageName: undefined },
    { name: 'oci:.', path: '/work', imageName: undefined },
  ],
  ({ name, path, imageName }) => {
    assert.deepEqual(parseImageName(name, '/work'), { kind: 'oci', path, imageName });
  },
);

const ETCD = { registry: undefined, repository: 'etcd', tag: undefined, digest: undefined };
const archive = { kind: 'docker-archive', reference: undefined, index: undefined };
each(
  'parseImageName() takes',
  [
    { name: 'docker:etcd:1', want: { kind: 'docker-daemon', image: 'etcd:1' } },
    { name: 'docker-daemon:a/etcd:1', want: { kind: 'docker-daemon', image: 'a/etcd:1' } },
    {
      name: `docker-daemon:sha256:${'a'.repeat(64)}`,
      want: { kind: 'docker-daemon', image: `sha256:${'a'.repeat(64)}` },
    },
    { name: 'dockertar:/tmp/x.tar', want: { ...archive, path: '/tmp/x.tar' } },
    { name: 'docker-archive:x.tar', want: { ...archive, path: '/work/x.tar' } },
    {
      name: 'docker-archive:x.tar:host:5000/a/b:c',
      want: { ...archive, path: '/work/x.tar', reference: 'host:5000/a/b:c' },
    },
    { name: 'docker-archive:x.tar:@2', want: { ...archive, path: '/work/x.tar', index: 2 } },
    {
      name: 'oci-archive:x.tar:v1',
      want: { kind: 'oci-archive', path: '/work/x.tar', imageName: 'v1' },
    },
    { name: 'dir:x', want: { kind: 'dir', path: '/work/x' } },
    {
      name: 'ostree:etcd:3@/a/../repo',
      want: { kind: 'ostree', reference: { ...ETCD, tag: '3' }, repository: '/repo' },
    },
    { name: 'ostree:etcd', want: { kind: 'ostree', reference: ETCD, repository: undefined } },
    {
      name: `ostree:etcd@sha256:${'a'.repeat(64)}@/a@/b`,
      want: {
        kind: 'ostree',
        reference: { ...ETCD, digest: `sha256:${'a'.repeat(64)}` },
        repository: '/a@/b',
      },
    },
  ],
  ({ name, want }) => {
    assert.deepEqual(parseImageName(name, '/work'), want);
  },
);

each(
  'parseImageName() refuses by name',
  [
    { name: 'containers-storage:x', transport: 'containers-storage' },
    { name: 'ftp://host/x', transport: 'ftp' },
    { name: 'file:///etc/passwd', transport: 'file' },
    { name: 'file:/etc/passwd', transport: 'file' },
  ],
  async ({ name, transport }) => {
    const error = await assertFails('TRANSPORT_UNKNOWN', () => parseImageName(name, '/work'));
    assert.ok(error.message.includes(`'${transport}'`), error.message);
    assert.match(error.hint ?? '', /docker:\/\/, oci:/);
  },
);

each(
  'parseImageName() refuses',
  [
    { name: 'a layout without a path', text: 'oci:' },
    { name: 'a layout with a NUL in its path', text: 'oci:/a\0b' },
    { name: 'a name that no layout may have', text: 'oci:/x:../../y' },
    { name: 'a URL with a user', text: 'http://user:pass@host.example/x' },
    { name: 'a transport of nothing', text: 'docker://' },
    { name: 'a folder of nothing', text: 'dir:' },
    { name: 'an image of a repository without a name', text: 'ostree:@/repo' },
    { name: 'a repository that is not absolute', text: 'ostree:etcd@repo' },
    { name: 'a repository with a NUL in its path', text: 'ostree:etcd@/a\0b' },
    { name: 'an archive of nothing', text: 'docker-archive::x' },
    { name: 'an archive with a digest', text: `docker-archive:x:a@sha256:${'a'.repeat(64)}` },
    { name: 'an archive with a name that is none', text: 'docker-archive:x:../y' },
    { name: 'an image of the engine without a tag', text: 'docker-daemon:etcd' },
    { name: 'an image of the engine that is a path', text: 'docker-daemon:../../containers/x' },
  ],
  async ({ text }) => {
    await assertFails('REFERENCE_INVALID', () => parseImageName(text, '/work'));
  },
);

each(
  'parseImageName() tells an address of the web from an image, in one line without its password:',
  [
    {
      name: 'http://example.com/x',
      shown: 'http://example.com/x',
      hint: 'an image of that registry is named example.com/x, and http:example.com/x is asked for without TLS',
    },
    {
      name: 'https://me:secret@quay.io/a/b:1?token=secret#x',
      shown: 'https://quay.io/a/b:1',
      hint: 'an image of that registry is named quay.io/a/b:1',
    },
    {
      name: 'https://example.com/',
      shown: 'https://example.com/',
      hint: 'images are named REGISTRY/NAME:TAG',
    },
  ],
  async ({ name, shown, hint }) => {
    const error = await assertFails('REFERENCE_INVALID', () => parseImageName(name, '/work'));
    assert.equal(error.message, `'${shown}' is an address of the web, not the name of an image`);
    assert.equal(error.hint, hint);
  },
);
