import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';

import { BerthInTree } from '../support/berth-in-tree.js';
import { FakeRegistry } from '../support/fake-registry.js';

// Who updates everything asks for what comes next while it is at work; what it says is the same, in the same order.

test('update --all asks a registry for several at a time, not for too many, and for each once', async () => {
  using tree = new BerthInTree();
  await using registry = await FakeRegistry.start();
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const source = (name: string): string => `http:${registry.host}/${name}:latest`;
  for (const name of names) {
    const image = tree.makeImage(name, [{ path: 'version', content: name }]);
    await tree.runOk('copy', '--insecure-policy', image, source(name));
    await tree.runOk('install', '--name', name, source(name));
  }
  await tree.runOk('sets', 'create', 'both', 'g', 'h');
  const newer = tree.makeImage('newer', [{ path: 'version', content: 'newer' }]);
  await tree.runOk('copy', '--insecure-policy', newer, source('c'));
  const asked: string[] = [];
  let [present, most] = [0, 0];
  registry.interfere(async ({ url = '' }, response) => {
    if (!url.includes('/manifests/latest')) return false;
    asked.push(url);
    present += 1;
    most = Math.max(most, present);
    response.once('close', () => (present -= 1));
    await wait(100);
    if (!url.includes('/e/')) return false;
    response.destroy(); // it is asked for again
    return true;
  });
  const { status, stdout, stderr } = await tree.run('update', '--all', '--json');
  assert.equal(status, 75, stderr);
  assert.match(stderr, /'e'/);
  const outcomes = JSON.parse(stdout) as { name?: string; set?: string; action?: string }[];
  assert.deepEqual(
    outcomes.map(({ name, set, action }) => `${name ?? set ?? ''} ${action ?? ''}`),
    ['@both nothing', 'a nothing', 'b nothing', 'c updated', 'd nothing', 'f nothing'],
  );
  const others = asked.filter((url) => !url.includes('/e/'));
  assert.equal(new Set(others).size, names.length - 1);
  assert.equal(others.length, names.length - 1, others.join(' '));
  assert.ok(most > 2 && most <= 5, `${most} requests at a time`);
});

test('what is updated by name from the store, or to another image, asks for nothing ahead', async () => {
  using tree = new BerthInTree();
  await using registry = await FakeRegistry.start();
  const image = tree.makeImage('web', [{ path: 'version', content: 'one' }]);
  const reference = `http:${registry.host}/web:latest`;
  await tree.runOk('copy', '--insecure-policy', image, reference);
  for (const name of ['one', 'two']) await tree.runOk('install', '--name', name, reference);
  let requests = 0;
  registry.interfere(() => {
    requests += 1;
    return false;
  });
  await tree.runOk('update', '--no-pull', 'one', 'two');
  assert.equal(requests, 0);
});
