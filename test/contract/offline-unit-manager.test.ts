import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';

import { openOfflineUnitManager } from '../../src/systemd/offline-unit-manager.js';
import { assertFails } from '../support/assert-fails.js';
import { doMeanwhile } from '../support/do-meanwhile.js';
import { TempDir } from '../support/temp-dir.js';
import { testUnitManager } from './unit-manager-suite.js';

const tree = treeWithSystemd();
after(() => {
  tree[Symbol.dispose]();
});

testUnitManager('UnitManager offline', () =>
  Promise.resolve({ manager: openOfflineUnitManager({ root: tree.path }), root: tree.path }),
);

test('what needs a running systemd is refused offline', async () => {
  await using manager = openOfflineUnitManager({ root: tree.path });
  await assertFails('SYSTEMD_UNAVAILABLE', () => manager.start('contract-a.service', {}));
  await assertFails('SYSTEMD_UNAVAILABLE', () => manager.stop('contract-a.service', {}));
  await assertFails('SYSTEMD_UNAVAILABLE', () => manager.restart('contract-a.service', {}));
});

test('links of the tree lead into the tree, not onto the host that builds it', async () => {
  using own = treeWithSystemd();
  using outside = new TempDir();
  // As the host sees it, this is outside; as the tree sees it, it does not exist.
  symlinkSync(outside.path, `${own.path}/etc/systemd/system/multi-user.target.wants`);
  writeUnit(own, 'a.service', 'WantedBy=multi-user.target');
  await using manager = openOfflineUnitManager({ root: own.path });
  await assert.rejects(() => manager.enable(['a.service']));
  assert.deepEqual(readdirSync(outside.path), [], 'a link was made on the host: path escape');
});

test('enable() and disable() do what systemctl --root does', async () => {
  const units: [string, string][] = [
    ['a.service', 'WantedBy=multi-user.target\nAlias=b.service %p-x.service\nAlso=c.socket'],
    ['c.socket', 'WantedBy=sockets.target'],
    ['d.service', 'RequiredBy=docker.service etcd.service\nWantedBy=foo@one.target'],
    ['t@.service', 'WantedBy=multi-user.target\nDefaultInstance=one'],
    ['v@.service', 'WantedBy=w@.target'],
    ['s.service', ''],
  ];
  const names = [
    'a.service',
    'd.service',
    't@.service',
    't@two.service',
    'v@1.service',
    's.service',
  ];
  using ours = treeWithSystemd();
  using theirs = treeWithSystemd();
  for (const one of [ours, theirs]) for (const unit of units) writeUnit(one, ...unit);
  await using manager = openOfflineUnitManager({ root: ours.path });
  for (const name of names) {
    await manager.enable([name]);
    execFileSync('systemctl', [`--root=${theirs.path}`, '--quiet', 'enable', name], {
      stdio: 'pipe',
    });
    assert.deepEqual(linksOf(ours), linksOf(theirs), `after enable ${name}`);
  }
  assert.equal(linksOf(ours).length, 10);
  for (const name of ['t@.service', 'd.service', 'a.service', 'v@1.service']) {
    await manager.disable([name]);
    execFileSync('systemctl', [`--root=${theirs.path}`, '--quiet', 'disable', name], {
      stdio: 'pipe',
    });
    assert.deepEqual(linksOf(ours), linksOf(theirs), `after disable ${name}`);
  }
  assert.deepEqual(linksOf(ours), []);
});

test('F18 the folder of links may come and go with other containers meanwhile', async () => {
  using own = treeWithSystemd();
  writeUnit(own, 'a.service', 'WantedBy=multi-user.target');
  const folder = `${own.path}/etc/systemd/system/multi-user.target.wants`;
  // As those that are the first and the last of a target.
  const others = 'try { fs.mkdirSync(data); } catch {} try { fs.rmdirSync(data); } catch {}';
  await using manager = openOfflineUnitManager({ root: own.path });
  await doMeanwhile(others, folder, async () => {
    for (let round = 0; round < 300; round += 1) {
      await manager.enable(['a.service']);
      assert.deepEqual(linksOf(own), [
        'multi-user.target.wants/a.service -> /etc/systemd/system/a.service',
      ]);
      await manager.disable(['a.service']);
    }
  });
});

test('F18 a unit that two have as Also= may be disabled for both at once', async () => {
  using own = treeWithSystemd();
  writeUnit(own, 'a.service', 'WantedBy=multi-user.target');
  const link = `${own.path}/etc/systemd/system/multi-user.target.wants/a.service`;
  await using manager = openOfflineUnitManager({ root: own.path });
  await doMeanwhile('try { fs.unlinkSync(data); } catch {}', link, async () => {
    for (let round = 0; round < 300; round += 1) {
      await manager.enable(['a.service']);
      await manager.disable(['a.service']);
    }
  });
  assert.deepEqual(linksOf(own), []);
});

function treeWithSystemd(): TempDir {
  const directory = new TempDir();
  for (const path of ['etc/systemd/system', 'usr/lib/systemd/system', 'var/lib', 'run']) {
    mkdirSync(`${directory.path}/${path}`, { recursive: true });
  }
  writeFileSync(`${directory.path}/usr/lib/systemd/libsystemd-shared-252.so`, '');
  return directory;
}

function writeUnit(directory: TempDir, name: string, install: string): void {
  writeFileSync(
    `${directory.path}/etc/systemd/system/${name}`,
    `[Service]\nExecStart=/bin/true\n[Socket]\nListenStream=1\n[Install]\n${install}\n`,
  );
}

function linksOf(directory: TempDir): readonly string[] {
  const base = `${directory.path}/etc/systemd/system`;
  return readdirSync(base, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isSymbolicLink())
    .map((entry) => {
      const path = `${entry.parentPath}/${entry.name}`;
      return `${path.slice(base.length + 1)} -> ${readlinkSync(path)}`;
    })
    .sort();
}
