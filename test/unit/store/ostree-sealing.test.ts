import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import type { Sealing } from '../../../src/store/object-writer.js';
import { openOstreeStore } from '../../../src/store/ostree/ostree-store.js';
import { integritySection, readIntegrity } from '../../../src/store/ostree/sealing.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { storeLayer } from '../../support/feed-layer.js';
import { runOk } from '../../support/run-command.js';
import { storedImageOf } from '../../support/stored-image.js';
import { TempDir } from '../../support/temp-dir.js';

/*
 * What berth does about fs-verity where there is none: a tmpfs has it not on any kernel. Sealed files are looked at on a whole
 * machine (integration/machine-install.test.ts).
 */

each(
  'a repository says of sealing',
  [
    { name: 'nothing', text: '[core]\nmode=bare\n', want: [undefined, false] },
    { name: 'yes', text: '[core]\n[ex-integrity]\nfsverity=yes\n', want: ['yes', false] },
    {
      name: 'true, with blanks',
      text: '[ex-integrity]\n fsverity = true \n',
      want: ['yes', false],
    },
    { name: 'maybe, once made', text: integritySection('maybe'), want: ['maybe', false] },
    { name: 'no', text: '[ex-integrity]\nfsverity=false\n', want: ['no', false] },
    {
      name: 'roots, for which files have to be',
      text: '[ex-integrity]\ncomposefs=yes\n',
      want: ['yes', false, 'yes'],
    },
    {
      name: 'both, each in its way',
      text: '[ex-integrity]\nfsverity=maybe\ncomposefs=no\n',
      want: ['maybe', false, 'no'],
    },
    { name: 'no roots', text: '[ex-integrity]\ncomposefs=no\n', want: [undefined, false, 'no'] },
    { name: 'more', text: '[ex-integrity]\nother=yes\n', want: [undefined, true] },
    { name: 'it elsewhere', text: '[other]\nfsverity=yes\n', want: [undefined, false] },
    { name: 'it in a comment', text: '[ex-integrity]\n#fsverity=yes\n', want: [undefined, false] },
  ],
  ({ text, want }) => {
    using dir = new TempDir();
    writeFileSync(`${dir.path}/config`, text);
    const { sealing, asksForMore, composefs } = readIntegrity(`${dir.path}/config`);
    assert.deepEqual([sealing, asksForMore, composefs], [...want, undefined].slice(0, 3));
  },
);

async function takeIn(repository: string, sealing: Sealing | undefined): Promise<void> {
  await using store = openOstreeStore(repository, { sealing });
  const diffId = await storeLayer(store, [{ path: 'file', content: 'content' }]);
  await store.addImage(storedImageOf([diffId], ['x']));
  assert.deepEqual((await store.fsck()).problems, []);
}

test('what can only be sealed where it cannot be is refused before it is taken in', async () => {
  using dir = new TempDir('/dev/shm');
  const repository = `${dir.path}/repo`;
  await assertFails('STORE_UNSUITABLE', () => takeIn(repository, 'yes'));
  assert.match(readFileSync(`${repository}/config`, 'utf8'), /\[ex-integrity\]\nfsverity=yes\n/);
  assert.equal(await runOk(['find', `${repository}/objects`, '-name', '*.file']), '');
  await assertFails('STORE_UNSUITABLE', () => takeIn(repository, undefined));
  await runOk(['ostree', 'fsck', `--repo=${repository}`, '--quiet']);
});

test('where it need not be, it is taken in', async () => {
  using dir = new TempDir('/dev/shm');
  await takeIn(`${dir.path}/repo`, 'maybe');
  assert.match(readFileSync(`${dir.path}/repo/config`, 'utf8'), /fsverity=maybe/);
  await takeIn(`${dir.path}/plain`, undefined);
  assert.doesNotMatch(readFileSync(`${dir.path}/plain/config`, 'utf8'), /fsverity/);
});

test('the configuration of a repository counts more than what is wanted, and stays as it is', async () => {
  using dir = new TempDir('/dev/shm');
  const repository = `${dir.path}/repo`;
  mkdirSync(repository);
  await runOk(['ostree', 'init', `--repo=${repository}`, '--mode=bare']);
  await takeIn(repository, undefined);
  await runOk(['ostree', 'config', `--repo=${repository}`, 'set', 'ex-integrity.fsverity', 'no']);
  const before = readFileSync(`${repository}/config`, 'utf8');
  await takeIn(repository, 'yes');
  assert.equal(readFileSync(`${repository}/config`, 'utf8'), before);

  // What is there already was not sealed when it was taken in.
  await runOk(['ostree', 'config', `--repo=${repository}`, 'set', 'ex-integrity.fsverity', 'yes']);
  await using store = openOstreeStore(repository);
  const { problems } = await store.fsck();
  assert.deepEqual(
    problems.map(({ kind, problem }) => [kind, problem.includes('is not sealed by fs-verity')]),
    [['object', true]],
  );
});

test('roots that are to be sealed want sealed files, whatever is said of those', async () => {
  using dir = new TempDir('/dev/shm');
  const repository = `${dir.path}/repo`;
  await using store = openOstreeStore(repository, { sealing: 'no', composefs: 'yes' });
  await assertFails('STORE_UNSUITABLE', () => storeLayer(store, [{ path: 'f', content: 'c' }]));
  assert.match(readFileSync(`${repository}/config`, 'utf8'), /\[ex-integrity\]\nfsverity=yes\n/);
});

test('without sealed files there is no sealed root', async () => {
  using dir = new TempDir('/dev/shm');
  await using store = openOstreeStore(`${dir.path}/repo`, { composefs: 'maybe' });
  const diffId = await storeLayer(store, [{ path: 'file', content: 'content' }]);
  const tree = await store.openTree(await store.addImage(storedImageOf([diffId], ['x'])));
  assert.equal(store.rootSealing(tree)?.wanted, 'maybe');
  await assertFails('STORE_UNSUITABLE', () => store.encodeSealedRoot(tree, []));

  const archive = `${dir.path}/archive`;
  await runOk(['ostree', 'init', `--repo=${archive}`, '--mode=archive']);
  await using other = openOstreeStore(archive, { composefs: 'maybe' });
  const its = await storeLayer(other, [{ path: 'file', content: 'content' }]);
  const packed = await other.openTree(await other.addImage(storedImageOf([its], ['x'])));
  await assertFails('STORE_UNSUITABLE', () => other.encodeSealedRoot(packed, []));
});
