import assert from 'node:assert/strict';

import { formatDeployment, parseDeployment } from '../../../src/containers/deployment.js';
import { recordedReference } from '../../../src/containers/recorded-reference.js';
import { deploymentRecord } from '../../support/deployment-record.js';
import { each } from '../../support/each.js';

const DIGEST = `sha256:${'a'.repeat(64)}`;

interface Row {
  readonly name: string;
  readonly given: string;
  readonly storeName: string;
  readonly recorded: string;
}

const rows: readonly Row[] = [
  {
    name: 'a short name',
    given: 'etcd',
    storeName: 'docker.io/library/etcd:latest',
    recorded: 'docker.io/library/etcd:latest',
  },
  {
    name: 'a short name that an alias gives another repository',
    given: 'etcd:3',
    storeName: 'quay.example/infra/etcd-server:3',
    recorded: 'quay.example/infra/etcd-server:3',
  },
  {
    name: 'tag and digest, of which the store files one',
    given: `etcd:3@${DIGEST}`,
    storeName: `registry.example/etcd@${DIGEST}`,
    recorded: `registry.example/etcd:3@${DIGEST}`,
  },
  {
    name: 'a digest alone',
    given: `registry.example/etcd@${DIGEST}`,
    storeName: `registry.example/etcd@${DIGEST}`,
    recorded: `registry.example/etcd@${DIGEST}`,
  },
  {
    name: 'how to speak to the registry',
    given: 'http:registry.example:5000/etcd',
    storeName: 'registry.example:5000/etcd:latest',
    recorded: 'http:registry.example:5000/etcd:latest',
  },
  {
    name: 'the long spelling',
    given: 'docker://registry.example/etcd:3',
    storeName: 'registry.example/etcd:3',
    recorded: 'registry.example/etcd:3',
  },
  {
    name: 'a relative layout',
    given: 'oci:./images/web:v1',
    storeName: 'oci:/media/usb/images/web:v1',
    recorded: 'oci:/media/usb/images/web:v1',
  },
  {
    name: 'a relative archive in an old spelling',
    given: 'dockertar:web.tar:web:1',
    storeName: 'docker-archive:/media/usb/web.tar:web:1',
    recorded: 'docker-archive:/media/usb/web.tar:web:1',
  },
  {
    name: 'a place in an archive',
    given: 'docker-archive:web.tar:@1',
    storeName: 'docker-archive:/media/usb/web.tar:@1',
    recorded: 'docker-archive:/media/usb/web.tar:@1',
  },
  {
    name: 'a folder',
    given: 'dir:web',
    storeName: 'dir:/media/a:b/web',
    recorded: 'dir:/media/a:b/web',
  },
  {
    name: 'a whole path that would be read as another image',
    given: 'oci-archive:web.oci:v1',
    storeName: 'oci-archive:/media/a:b/web.oci:v1',
    recorded: 'oci-archive:web.oci:v1',
  },
  {
    name: "an image of the host's repository",
    given: 'ostree:etcd',
    storeName: 'docker.io/library/etcd:latest',
    recorded: 'ostree:etcd',
  },
  {
    name: 'an image of the engine',
    given: 'docker:etcd:latest',
    storeName: 'docker-daemon:etcd:latest',
    recorded: 'docker:etcd:latest',
  },
  {
    name: 'a name of the forerunner that no registry is known of',
    given: 'etcd',
    storeName: 'etcd',
    recorded: 'etcd',
  },
  {
    name: 'what is no name',
    given: 'https://registry.example/etcd',
    storeName: 'https://registry.example/etcd',
    recorded: 'https://registry.example/etcd',
  },
];

each('what is recorded of the name of an image', rows, ({ given, storeName, recorded }) => {
  assert.equal(recordedReference(given, storeName), recorded);
  assert.equal(recordedReference(recorded, storeName), recorded, 'it is recorded again');
});

each('an older record is read as what its name meant', rows, ({ given, storeName, recorded }) => {
  const { image } = deploymentRecord({ name: 'web' });
  const newest = {
    signedAtMs: 1,
    createdAtMs: undefined,
    version: undefined,
    allowedAtMs: undefined,
  };
  const record = (reference: string): string =>
    formatDeployment(
      deploymentRecord({
        name: 'web',
        image: { ...image, reference: given, storeName, newest: { ...newest, reference } },
      }),
    );
  const read = parseDeployment(record(given), 'deployment.json').image;
  assert.equal(read.reference, recorded);
  assert.deepEqual(read.newest, { ...newest, reference: recorded });
  const other = parseDeployment(record('other.example/web:1'), 'deployment.json').image;
  assert.equal(other.newest?.reference, 'other.example/web:1', 'seen of another image');
});
