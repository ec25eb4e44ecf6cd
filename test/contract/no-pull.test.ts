import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';

// '--no-pull': the store alone is asked, so that values change where no registry is reached and the stick is in a drawer.

function makeImage(tree: BerthInTree, motd: string): string {
  return tree.makeImage('web', [{ path: 'srv/' }, { path: 'srv/motd', content: motd }], {
    'manifest.json': JSON.stringify({ variables: { PORT: { default: '80' } } }),
    'service.template': '[Service]\nEnvironment=PORT=$PORT\nExecStart=$EXEC_START\n',
  });
}

const unitOf = (tree: BerthInTree, name: string): string =>
  readFileSync(`${tree.path}/etc/systemd/system/${name}.service`, 'utf8');

test('values change and containers are installed with no source at hand', async () => {
  using tree = new BerthInTree();
  const image = makeImage(tree, 'one');
  await tree.runOk('install', '--name', 'web', image);
  rmSync(tree.layout('web'), { recursive: true });

  const asking = await tree.run('update', '--set', 'PORT=8081', 'web');
  assert.equal(asking.status, 66, asking.stderr);
  assert.match(unitOf(tree, 'web'), /PORT=80$/m);

  await tree.runOk('update', '--no-pull', '--set', 'PORT=8081', 'web');
  assert.match(unitOf(tree, 'web'), /PORT=8081$/m);
  const again = await tree.runOk('update', '--no-pull', 'web');
  assert.match(again, /nothing/i);

  await tree.runOk('install', '--no-pull', '--name', 'other', image);
  assert.match(unitOf(tree, 'other'), /PORT=80$/m);
});

test('what was pulled before is what an update without pulling takes', async () => {
  using tree = new BerthInTree();
  const image = makeImage(tree, 'one');
  await tree.runOk('install', '--name', 'web', image);
  makeImage(tree, 'two');
  assert.match(await tree.runOk('update', '--no-pull', 'web'), /nothing/i);
  await tree.runOk('pull', image);
  rmSync(tree.layout('web'), { recursive: true });
  await tree.runOk('update', '--no-pull', 'web');
  assert.equal(readFileSync(`${tree.path}/var/lib/berth/web/rootfs/srv/motd`, 'utf8'), 'two');
});

test('what the store does not have, or has for other machines, is refused by name', async () => {
  using tree = new BerthInTree();
  const image = makeImage(tree, 'one');
  const missing = await tree.run('install', '--no-pull', '--name', 'web', image);
  assert.equal(missing.status, 66, missing.stderr);
  assert.match(missing.stderr, /there is no image '.*' in the store\nhint: without '--no-pull'/);

  await tree.runOk('pull', image);
  const args = ['install', '--no-pull', '--platform', 'linux/s390x', '--name', 'web', image];
  const other = await tree.run(...args);
  assert.equal(other.status, 66, other.stderr);
  assert.match(other.stderr, /in the store for linux\/amd64 alone, not for linux\/s390x/);
  assert.equal(await tree.runOk('list', '-q'), '');
});
