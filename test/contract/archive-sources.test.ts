import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { suite, test } from 'node:test';

import { ownProgram } from '../../src/base/own-files.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { startDockerEngine } from '../support/docker-engine.js';
import { Puller } from '../support/pull-from.js';
import { startRegistry } from '../support/registry.js';
import { runOk } from '../support/run-command.js';
import { Workshop } from '../support/workshop.js';

// What the tools of the field write, read back.

async function pulledDigest(name: string): Promise<string> {
  await using puller = new Puller();
  return (await puller.pull(name)).digest;
}

/** The layers' diff ids: what is the same whatever form the image took. */
async function pulledDiffIds(name: string, engineSocket?: string): Promise<readonly string[]> {
  await using puller = new Puller(engineSocket === undefined ? {} : { engineSocket });
  return (await puller.pull(name)).config.diffIds;
}

suite('what skopeo writes is read', () => {
  test('oci-archive, digest and all', async () => {
    using shop = new Workshop();
    await shop.skopeo(shop.source, `oci-archive:${shop.at('a.tar')}:v1`);
    assert.equal(await pulledDigest(`oci-archive:${shop.at('a.tar')}:v1`), shop.digest);
    assert.equal(await pulledDigest(`oci-archive:${shop.at('a.tar')}`), shop.digest);
  });

  test('dir, digest and all', async () => {
    using shop = new Workshop();
    await shop.skopeo(shop.source, `dir:${shop.at('d')}`);
    assert.equal(await pulledDigest(`dir:${shop.at('d')}`), shop.digest);
  });

  test('dir with an index', async () => {
    using shop = new Workshop();
    const mine = shop.layout.addImage();
    const index = shop.layout.add('application/vnd.oci.image.index.v1+json', {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [shop.layout.addImage(undefined, 's390x'), mine],
    });
    shop.layout.finish([{ ...index, annotations: { 'org.opencontainers.image.ref.name': 'all' } }]);
    await shop.skopeo('--all', `oci:${shop.layout.path}:all`, `dir:${shop.at('d')}`);
    assert.equal(await pulledDigest(`dir:${shop.at('d')}`), mine.digest);
  });

  test('docker-archive, by name, by place and alone', async () => {
    using shop = new Workshop();
    const [diffId] = await pulledDiffIds(shop.source);
    const archive = `docker-archive:${shop.at('a.tar')}`;
    await shop.skopeo(shop.source, `${archive}:host.example/a/b:c`);
    for (const name of [archive, `${archive}:host.example/a/b:c`, `${archive}:@0`]) {
      assert.deepEqual(await pulledDiffIds(name), [diffId]);
    }
    const error = await assertFails('IMAGE_NOT_FOUND', () => pulledDiffIds(`${archive}:a/b:d`));
    assert.match(error.hint ?? '', /host\.example\/a\/b:c/);
    await assertFails('IMAGE_NOT_FOUND', () => pulledDiffIds(`${archive}:@1`));
  });
});

/** How people pack archives, and what the file is then called. */
// prettier-ignore
const packers = [
  { name: 'gzip', command: ['gzip', '--keep'], suffix: 'gz' },
  { name: 'gzip in two parts', command: ['sh', '-c', 'head -c 1000 "$0" | gzip >"$0.2.gz"; tail -c +1001 "$0" | gzip >>"$0.2.gz"'], suffix: '2.gz' },
  { name: 'zstd', command: ['zstd', '--quiet', '--keep'], suffix: 'zst' },
  { name: 'zstd in several frames, the first of them skippable', command: ['sh', '-c', 'printf "P*M\\030\\004\\000\\000\\000skip" >"$0.2.zst"; head -c 1000 "$0" | zstd -q >>"$0.2.zst"; tail -c +1001 "$0" | zstd -q >>"$0.2.zst"'], suffix: '2.zst' },
];

for (const { name, command, suffix } of packers) {
  test(`archives that are compressed as a whole are read, from a file and through a pipe: ${name}`, async () => {
    using shop = new Workshop();
    const [diffId] = await pulledDiffIds(shop.source);
    for (const [transport, file] of [
      ['docker-archive', 'd.tar'],
      ['oci-archive', 'o.tar'],
    ] as const) {
      await shop.skopeo(shop.source, `${transport}:${shop.at(file)}:a:b`);
      await runOk([...command, shop.at(file)]);
      const packed = shop.at(`${file}.${suffix}`);
      assert.deepEqual(await pulledDiffIds(`${transport}:${packed}`), [diffId]);
      for (const from of [shop.at(file), packed]) {
        await runOk(['mkfifo', `${from}.pipe`]);
        const writer = spawn('sh', ['-c', 'cat "$0" > "$0.pipe"', from]);
        assert.deepEqual(await pulledDiffIds(`${transport}:${from}.pipe`), [diffId]);
        writer.kill();
      }
    }
  });
}

each(
  'an archive that berth cannot unpack is refused, and read through the pipe that the hint names:',
  [
    { name: 'xz', suffix: 'xz' },
    { name: 'bzip2', suffix: 'bz2' },
  ],
  async ({ name, suffix }) => {
    using shop = new Workshop();
    const [diffId] = await pulledDiffIds(shop.source);
    await shop.skopeo(shop.source, `oci-archive:${shop.at('a.tar')}:a`);
    await runOk([name, shop.at('a.tar')]);
    const packed = shop.at(`a.tar.${suffix}`);
    const { hint } = await assertFails('MANIFEST_UNSUPPORTED', () =>
      pulledDiffIds(`oci-archive:${packed}`),
    );
    assert.match(hint ?? '', new RegExp(`${name} -dc … \\| berth …:/dev/stdin`));
    const program = ownProgram();
    const pull = `${name} -dc ${packed} | ${process.execPath} ${program} pull oci-archive:/dev/stdin`;
    const env = {
      ...process.env,
      BERTH_STATE_DIR: shop.at('state'),
      BERTH_RUN_DIR: shop.at('run'),
    };
    await runOk(['sh', '-euc', pull], { env });
    const info = await runOk([process.execPath, program, 'images', 'list', '--json'], { env });
    assert.ok(diffId !== undefined && info.includes('/dev/stdin'), info);
  },
);

test('what podman writes is read', async () => {
  using shop = new Workshop();
  const [diffId] = await pulledDiffIds(shop.source);
  const policy = ['--signature-policy', shop.at('policy.json')];
  await shop.skopeo(shop.source, `docker-archive:${shop.at('in.tar')}:shop/one:v1`);
  await shop.withStorage('podman', 'load', '--quiet', ...policy, '--input', shop.at('in.tar'));
  const id = (await shop.withStorage('podman', 'images', '--quiet', '--no-trunc')).trim();
  await using registry = await startRegistry();
  const pushed = `docker://${registry.reference('one')}`;
  await shop.withStorage('podman', 'push', '--quiet', '--tls-verify=false', id, pushed);
  assert.deepEqual(await pulledDiffIds(pushed), [diffId]);
  const save = (format: string, name: string) =>
    shop.withStorage(
      'podman',
      'save',
      '--quiet',
      '--format',
      format,
      '--output',
      shop.at(name),
      id,
    );
  await save('docker-archive', 'docker.tar');
  await save('oci-archive', 'oci.tar');
  await save('docker-dir', 'dir');
  await save('oci-dir', 'layout');
  for (const name of [
    'docker-archive:docker.tar',
    'oci-archive:oci.tar',
    'dir:dir',
    'oci:layout',
  ]) {
    const [transport = '', file = ''] = name.split(':');
    assert.deepEqual(await pulledDiffIds(`${transport}:${shop.at(file)}`), [diffId], name);
  }
});

test('what buildah writes is read, in every form', async () => {
  using shop = new Workshop();
  await using registry = await startRegistry();
  const policy = ['--signature-policy', shop.at('policy.json')];
  await shop.skopeo(shop.source, `docker-archive:${shop.at('in.tar')}:shop/one:v1`);
  const input = `docker-archive:${shop.at('in.tar')}`;
  await shop.withStorage('buildah', 'from', ...policy, '--name', 'work', input);
  await shop.withStorage('buildah', 'config', '--cmd', '/etc/etcd', 'work');
  for (const to of [
    `oci-archive:${shop.at('b.tar')}:v2`,
    `oci:${shop.at('layout')}:v2`,
    `docker-archive:${shop.at('c.tar')}:shop/one:v2`,
    `dir:${shop.at('d')}`,
    `docker://${registry.reference('one')}`,
  ]) {
    const commit = ['commit', ...policy, '--quiet', '--tls-verify=false', 'work', to];
    await shop.withStorage('buildah', ...commit);
    await using puller = new Puller();
    const image = await puller.pull(to);
    assert.deepEqual(image.config.process.cmd, ['/etc/etcd'], to);
  }
});

test('images of a docker engine, and what docker saves, are read', async () => {
  using shop = new Workshop();
  await using engine = await startDockerEngine();
  const [diffId] = await pulledDiffIds(shop.source);
  const host = `unix://${engine.socket}`;
  const to = ['--dest-daemon-host', host];
  await shop.skopeo(...to, shop.source, 'docker-daemon:host.example/one:v1');
  await shop.skopeo(...to, shop.source, 'docker-daemon:two:v2');
  for (const name of ['docker-daemon:host.example/one:v1', 'docker:two:v2']) {
    assert.deepEqual(await pulledDiffIds(name, engine.socket), [diffId], name);
  }
  await assertFails('IMAGE_NOT_FOUND', () => pulledDiffIds('docker:none:v2', engine.socket));
  const images = ['host.example/one:v1', 'two:v2'];
  const file = shop.at('both.tar');
  await runOk(['docker', '--host', host, 'save', '--output', file, ...images]);
  for (const which of images) {
    assert.deepEqual(await pulledDiffIds(`docker-archive:${file}:${which}`), [diffId]);
  }
  const both = `docker-archive:${file}`;
  // One image under two names is one image.
  assert.deepEqual(await pulledDiffIds(both), [diffId]);
});

test('without a docker engine its images cannot be had', async () => {
  await assertFails('ENGINE_UNAVAILABLE', () => pulledDiffIds('docker-daemon:etcd:1'));
});
