import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { assertFails } from '../support/assert-fails.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { answer, forPath, only } from '../support/misbehaviours.js';
import { Puller } from '../support/pull-from.js';
import { pushImage, sha256 } from '../support/push-image.js';
import { buildTar } from '../support/tar-builder.js';
import { writeLayout } from '../support/write-layout.js';

/*
 * Which image a name means is written by a pull of that very name that verified all of it, and by a person
 * (berth images tag): by nothing that an image says of itself.
 */

test('R56 an archive that calls its image by the name of another one gets no such name', async () => {
  await using puller = new Puller();
  const layout = writeLayout(join(puller.folder.path, 'layout'), { layers: [[{ path: 'file' }]] });
  const archive = join(puller.folder.path, 'image.tar');
  await puller.copy(layout, `docker-archive:${archive}:docker.io/library/etcd:latest`);
  const image = await puller.pull(`docker-archive:${archive}`);
  assert.ok(
    image.names.every((name) => name.startsWith('docker-archive:')),
    image.names.join(),
  );
  for (const name of ['docker.io/library/etcd:latest', 'etcd:latest', 'etcd'])
    assert.equal(await puller.store.findImage(name), undefined, `${name} is poisoned`);
});

test('R56 annotations of an image give it no name', async () => {
  await using registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'evil' }, '1', {
    architecture: 'amd64',
    layers: [{ content: buildTar([{ path: 'file', content: 'x' }]) }],
    manifest: {
      annotations: {
        'org.opencontainers.image.ref.name': 'docker.io/library/etcd:latest',
        'org.opencontainers.image.base.name': 'docker.io/library/etcd:latest',
        'io.containerd.image.name': 'docker.io/library/etcd:latest',
      },
    },
  });
  await using puller = new Puller();
  const image = await puller.pull(`${registry.host}/evil:1`);
  assert.deepEqual(image.names, [`${registry.host}/evil:1`]);
});

test('R56 a pull that is refused leaves the name with the image that it meant', async () => {
  await using registry = await FakeRegistry.start();
  const push = (content: string) => {
    const layer = buildTar([{ path: 'file', content }]);
    const target = { origin: registry.origin, repository: 'etcd' };
    return pushImage(target, '1', { architecture: 'amd64', layers: [{ content: layer }] }).then(
      (pushed) => ({ ...pushed, layer }),
    );
  };
  await using puller = new Puller();
  const name = `${registry.host}/etcd:1`;
  await push('first');
  const first = await puller.pull(name);
  const second = await push('second');
  registry.interfere(
    only(forPath(sha256(second.layer)), answer(200, {}, Buffer.alloc(second.layer.length))),
  );
  await assertFails('CONTENT_MISMATCH', () => puller.pull(name));
  assert.equal((await puller.store.findImage(name))?.digest, first.digest);
  assert.equal(await puller.store.findImage(second.digest), undefined);
});
