import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { type DebianImage, pushDebianImage } from '../support/debian-image.js';
import { each } from '../support/each.js';
import { configTemplate, pushExports } from '../support/exports-image.js';
import { snapshotChanging, snapshotHost } from '../support/refused.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import { compareSnapshots } from '../support/tree-snapshot.js';

// What uninstalling leaves: nothing, but for the container's state and what the administrator made his own.

let registry: RealRegistry;
let host: BootedHost;

before(async () => {
  registry = await startRegistry();
  host = await bootHost({ suite: 'bookworm' });
  await host.network.exposePort(registry.port);
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

async function berth(...args: readonly string[]): Promise<string> {
  const result = await host.berth(...args);
  assert.equal(result.status, 0, `berth ${args.join(' ')}\n${result.stderr}`);
  return result.stdout;
}

async function pull(image: DebianImage): Promise<string> {
  await pushDebianImage(registry.target(image), image);
  const reference = `${registry.host}/${image}:latest`;
  await berth('pull', reference);
  return reference;
}

const rows = [{ name: 'etcd' }, { name: 'docker' }, { name: 'redis' }] as const;

each(
  'uninstall --purge of a service that ran leaves the whole tree as before',
  rows,
  async (row) => {
    const reference = await pull(row.name);
    const earlier = await snapshotHost(host);
    await berth('install', '--start', reference);
    assert.equal((await host.unit(row.name))['ActiveState'], 'active');
    assert.notDeepEqual(compareSnapshots(earlier, await snapshotHost(host)), []);
    await berth('uninstall', '--purge', row.name);
    assert.deepEqual(compareSnapshots(earlier, await snapshotHost(host)), []);
    assert.equal((await host.unit(row.name))['LoadState'], 'not-found');
  },
);

test('without --purge the state stays and is named', async () => {
  const reference = await pull('etcd');
  const earlier = await snapshotChanging(host);
  await berth('install', '--start', reference);
  const said = await berth('uninstall', 'etcd');
  assert.match(said, /kept \/var\/lib\/etcd: the state of the container/);
  const left = compareSnapshots(earlier, await snapshotChanging(host));
  assert.ok(left.length > 0);
  for (const line of left) assert.match(line, /^\+ \/var\/lib\/etcd[/:]/);
  await host.runOk(['rm', '-rf', '/var/lib/etcd']);
});

test('files that the administrator changed stay and are named', async () => {
  const reference = await pull('etcd');
  const earlier = await snapshotChanging(host);
  await berth('install', reference);
  await host.sh(`
    echo '# mine' >>/etc/etcd/etcd.conf
    rm /usr/local/bin/etcdctl && ln -s /bin/true /usr/local/bin/etcdctl
    echo '# mine' >>/etc/systemd/system/etcd.service`);
  const said = await berth('uninstall', '--purge', 'etcd');
  const kept = [
    '/etc/etcd/etcd.conf',
    '/usr/local/bin/etcdctl',
    '/etc/systemd/system/etcd.service.save',
  ];
  for (const path of kept) assert.ok(said.includes(`kept ${path}: it was changed`), said);
  const left = compareSnapshots(earlier, await snapshotChanging(host)).map(
    (line) => /^\+ (\S+):/.exec(line)?.[1],
  );
  assert.deepEqual(left, ['/etc/etcd', ...kept].sort());
  await host.runOk(['rm', '-rf', '/etc/etcd', ...kept]);
});

test('what two containers share stays until the last is gone', async () => {
  for (const name of ['one', 'two']) {
    await pushExports(registry.target(name), {
      files: {
        'tmpfiles.template':
          'd ${STATE_DIRECTORY}/pair 0700 0 0 - -\nd ${STATE_DIRECTORY}/pair/${NAME} 0700 0 0 - -\n',
        'config.json.template': configTemplate({
          mounts: [
            { destination: '/proc', type: 'proc', source: 'proc' },
            {
              destination: '/state',
              type: 'bind',
              source: '${STATE_DIRECTORY}/pair/${NAME}',
              options: ['rbind', 'rw'],
            },
          ],
        }),
      },
      entries: [{ path: 'exports/hostfs/etc/pair/shared.conf', content: 'a=b\n' }],
    });
    await berth('pull', `${registry.host}/${name}:latest`);
  }
  const earlier = await snapshotChanging(host);
  for (const name of ['one', 'two']) await berth('install', `${registry.host}/${name}:latest`);
  await host.sh('echo kept >/var/lib/pair/two/data; echo gone >/var/lib/pair/one/data');
  await berth('uninstall', '--purge', 'one');
  assert.equal(await host.sh('cat /var/lib/pair/two/data /etc/pair/shared.conf'), 'kept\na=b\n');
  assert.equal((await host.run(['test', '-e', '/var/lib/pair/one'])).status, 1);
  await berth('uninstall', '--purge', 'two');
  assert.deepEqual(compareSnapshots(earlier, await snapshotChanging(host)), []);
});
