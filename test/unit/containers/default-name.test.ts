import assert from 'node:assert/strict';

import { defaultContainerName } from '../../../src/containers/default-name.js';
import { each } from '../../support/each.js';

each(
  'defaultContainerName()',
  [
    { name: 'etcd', want: 'etcd' },
    { name: 'etcd:3.5', want: 'etcd' },
    { name: 'registry.example:5000/infra/etcd', want: 'etcd' },
    { name: 'registry.example:5000/infra/etcd:3.5', want: 'etcd' },
    { name: `docker://r.example/infra/etcd@sha256:${'0'.repeat(64)}`, want: 'etcd' },
    { name: 'docker:etcd:3.5', want: 'etcd' },
    { name: 'oci:/media/usb/etcd', want: 'etcd' },
    { name: 'oci:/media/usb/etcd:3.5', want: 'etcd' },
    { name: 'docker-archive:/tmp/etcd.tar', want: 'etcd' },
    { name: 'http:localhost:5000/etcd', want: 'etcd' },
  ],
  ({ name, want }) => {
    assert.equal(defaultContainerName(name), want);
  },
);
