import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { parseContainerName } from '../../src/base/container-name.js';
import { NO_DEPENDENCIES } from '../../src/containers/container-dependencies.js';
import { withRequiredHeld } from '../../src/containers/hold-required.js';
import { assertFails } from '../support/assert-fails.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { withFileLock } from '../support/file-lock.js';
import { folderHost } from '../support/folder-host.js';

// Two commands at the same instant: one installs what requires a container, the other takes that container away.

function place(): { readonly tree: BerthInTree; readonly db: string; readonly web: string } {
  const tree = new BerthInTree();
  const requires = JSON.stringify({ requires: ['db'] });
  return {
    tree,
    db: tree.makeImage('db', [{ path: 'srv/' }]),
    web: tree.makeImage('web', [{ path: 'srv/' }], { 'manifest.json': requires }),
  };
}

test('what is being changed cannot be required meanwhile, and what is required cannot be taken away', async () => {
  const { tree, db, web } = place();
  try {
    await tree.runOk('install', '--name', 'db', db);
    const lock = `${tree.path}/var/lib/berth/.locks/db.lock`;
    const refused = await withFileLock(lock, () => tree.run('install', '--name', 'web', web));
    assert.equal(refused.status, 75, refused.stderr);
    assert.match(refused.stderr, /cannot install 'web'\n.*changing 'db', which it requires/);
    assert.equal(await tree.runOk('list', '-q'), 'db\n', 'nothing is left of it');
    // With nobody at it, it goes; and then the other way round it does not.
    await tree.runOk('install', '--name', 'web', web);
    const required = await tree.run('uninstall', 'db');
    assert.equal(required.status, 1, required.stderr);
    assert.match(required.stderr, /web requires it/);
  } finally {
    tree[Symbol.dispose]();
  }
});

test('a set, and going back, hold what is required of others, and nothing of their own', async () => {
  const { tree, db, web } = place();
  try {
    const other = tree.makeImage('other', [{ path: 'srv/' }]);
    await tree.runOk('install', '--name', 'db', db);
    await tree.runOk('install', '--name', 'other', other);
    await tree.runOk('install', '--name', 'web', web);
    await tree.runOk('sets', 'create', 'pair', 'web', 'other');
    await tree.runOk('sets', 'create', 'whole', 'web', 'db');
    const requires = JSON.stringify({ requires: ['db'] });
    const publish = (version: string): string =>
      tree.makeImage('web', [{ path: `srv/${version}`, content: version }], {
        'manifest.json': requires,
      });
    const lock = `${tree.path}/var/lib/berth/.locks/db.lock`;
    const steps = [
      { args: ['update', '@pair'], before: () => publish('2') },
      { args: ['rollback', '@pair'], before: () => undefined },
      { args: ['update', 'web'], before: () => publish('3') },
      { args: ['rollback', 'web'], before: () => undefined },
    ];
    for (const { args, before } of steps) {
      before();
      const refused = await withFileLock(lock, () => tree.run(...args));
      assert.equal(refused.status, 75, `${args.join(' ')}: ${refused.stdout}${refused.stderr}`);
      assert.match(refused.stderr, /changing 'db', which it requires/);
      await tree.runOk(...args);
    }
    // Of a set that it is a member of itself, it is held already.
    publish('4');
    await tree.runOk('update', '@whole');
    await tree.runOk('rollback', '@whole');
  } finally {
    tree[Symbol.dispose]();
  }
});

test('what went between being found and being held is missed, but for versions of before', async () => {
  const { tree, db } = place();
  try {
    await using host = folderHost(tree.path);
    const made = [
      {
        name: parseContainerName('web'),
        units: ['web.service'],
        dependencies: { ...NO_DEPENDENCIES, requires: ['db', 'web'] },
      },
    ];
    let runs = 0;
    const body = (): Promise<unknown> => Promise.resolve(runs++);
    const refused = await assertFails('DEPENDENCY_MISSING', () =>
      withRequiredHeld(host, { made, wasWhole: true }, body),
    );
    assert.match(refused.message, /requires 'db', which was uninstalled meanwhile/);
    assert.equal(runs, 0);
    // Going back to a version is not refused for what is forced away since.
    await withRequiredHeld(host, { made, wasWhole: false }, body);
    // A unit of the host fulfils it as well as a container.
    const units = `${tree.path}/etc/systemd/system`;
    mkdirSync(units, { recursive: true });
    writeFileSync(`${units}/db.service`, '[Service]\nExecStart=/bin/true\n');
    await withRequiredHeld(host, { made, wasWhole: true }, body);
    rmSync(`${units}/db.service`);
    await tree.runOk('install', '--name', 'db', db);
    await withRequiredHeld(host, { made, wasWhole: true }, body);
    assert.equal(runs, 3);
  } finally {
    tree[Symbol.dispose]();
  }
});

test('of installing and uninstalling at the same time one is told, whichever comes first', async () => {
  const { tree, db, web } = place();
  try {
    for (let round = 0; round < 3; round++) {
      await tree.runOk('install', '--name', 'db', db);
      const [installed, removed] = await Promise.all([
        tree.run('install', '--name', 'web', web),
        tree.run('uninstall', 'db'),
      ]);
      const both = `${installed.stderr}${removed.stderr}`;
      const names = await tree.runOk('list', '-q');
      assert.notEqual(names, 'web\n', `WEB STANDS WITHOUT WHAT IT REQUIRES: ${both}`);
      assert.ok(installed.status !== 0 || removed.status !== 0, both);
      if (installed.status === 0) await tree.runOk('uninstall', 'web');
      if (removed.status !== 0) await tree.runOk('uninstall', 'db');
    }
  } finally {
    tree[Symbol.dispose]();
  }
});
