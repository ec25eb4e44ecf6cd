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
    { name: 'http://registry.example/etcd', want: 'registry.example/etcd', scheme: 'http' },
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

each(
  'parseImageName() refuses by name',
  [
    { name: 'docker:etcd:1', transport: 'docker-daemon' },
    { name: 'docker-daemon:etcd:1', transport: 'docker-daemon' },
    { name: 'dockertar:/tmp/x.tar', transport: 'dockertar' },
    { name: 'docker-archive:x.tar', transport: 'docker-archive' },
    { name: 'oci-archive:x.tar', transport: 'oci-archive' },
    { name: 'dir:/tmp/x', transport: 'dir' },
    { name: 'ostree:x@/repo', transport: 'ostree' },
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
  ],
  async ({ text }) => {
    await assertFails('REFERENCE_INVALID', () => parseImageName(text, '/work'));
  },
);
