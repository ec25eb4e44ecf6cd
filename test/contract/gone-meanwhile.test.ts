import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';
import { FakeRegistry } from '../support/fake-registry.js';

/* Who updates everything has looked what there is: what others uninstall while it is at work is no failure. */

let tree: BerthInTree;
let registry: FakeRegistry;
let meanwhile: (() => Promise<unknown>) | undefined;

before(async () => {
  tree = new BerthInTree();
  registry = await FakeRegistry.start();
  const image = tree.makeImage('web', [{ path: 'version', content: 'one' }]);
  const first = `http:${registry.host}/web:latest`;
  await tree.runOk('copy', '--insecure-policy', image, first);
  await tree.runOk('install', '--name', 'first', first);
  for (const name of ['second', 'third', 'member'])
    await tree.runOk('install', '--name', name, image);
  registry.interfere(async () => {
    const act = meanwhile;
    meanwhile = undefined;
    await act?.();
    return false;
  });
});

after(async () => {
  tree[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
});

test('what is uninstalled while everything is updated is passed over', async () => {
  meanwhile = () => tree.runOk('uninstall', 'second');
  const { status, stdout, stderr } = await tree.run('update', '--all');
  assert.equal(status, 0, stderr);
  assert.equal(meanwhile, undefined);
  assert.match(stderr, /^second is not there any more, passing over it$/m);
  assert.match(stdout, /^first is up to date/m);
  assert.match(stdout, /^third is up to date/m);
  assert.equal((await tree.run('update', 'third', 'second')).status, 66, 'who names it is told');
});

test('so is a set that is taken apart', async () => {
  await tree.runOk('sets', 'create', 'early', 'first');
  await tree.runOk('sets', 'create', 'late', 'member');
  meanwhile = () => tree.runOk('sets', 'delete', 'late');
  const { status, stderr } = await tree.run('update', '--all');
  assert.equal(status, 0, stderr);
  assert.match(stderr, /^@late is not there any more, passing over it$/m);
});

test('and what the timer comes to', async () => {
  for (const name of ['first', 'third']) await tree.runOk('policy', name, '--mode', 'apply');
  meanwhile = () => tree.runOk('uninstall', 'third');
  const { status, stdout, stderr } = await tree.run('auto-update');
  assert.equal(status, 0, stderr);
  assert.match(stderr, /^third is not there any more, passing over it$/m);
  assert.match(stdout, /^first: current/m);
});
