import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';
import { listTree } from '../support/list-tree.js';

/* Sets of which something is lost: the others are updated all the same, and who runs the command is told. What a set would go back to. */

let tree: BerthInTree;

afterEach(() => {
  tree[Symbol.dispose]();
});

/** Two sets and a container of none, whose image is new since. */
beforeEach(async () => {
  tree = new BerthInTree();
  const image = tree.makeImage('web', [{ path: 'version', content: 'one' }]);
  for (const name of NAMES) await tree.runOk('install', '--name', name, image);
  await tree.runOk('sets', 'create', 'shop', 'front', 'back');
  await tree.runOk('sets', 'create', 'farm', 'cow', 'hen');
  tree.makeImage('web', [{ path: 'version', content: 'two' }]);
});

const NAMES = ['front', 'back', 'cow', 'hen', 'lone'];
const linkOf = (name: string): string => `${tree.path}/var/lib/berth/${name}`;

/** Names of the containers that have the new version. */
async function updated(): Promise<readonly string[]> {
  const rows = JSON.parse(await tree.runOk('--json', 'list')) as {
    readonly name: string;
    readonly deployment: number;
  }[];
  return rows.filter(({ deployment }) => deployment === 1).map(({ name }) => name);
}

test('updating everything tells of a set with a lost member, and updates the others', async () => {
  const warned = await tree.run('uninstall', 'back');
  assert.match(warned.stderr, /the set 'shop', which is not updated without it/);
  const all = await tree.run('update', '--all');
  assert.equal(all.status, 66, all.stderr);
  assert.ok(
    all.stderr.endsWith(
      "berth: cannot update the set 'shop'\n" +
        "  because: 'back' belongs to it, and is not installed any more\n" +
        `hint: install it again, or 'berth --root ${tree.path} sets delete shop' lets the others go on by themselves\n`,
    ),
    all.stderr,
  );
  assert.deepEqual(await updated(), ['cow', 'hen', 'lone']);
  // In a set of its own the other one goes on.
  await tree.runOk('sets', 'delete', 'shop');
  await tree.runOk('update', '--all');
  assert.deepEqual(await updated(), ['cow', 'front', 'hen', 'lone']);
});

test('updating everything tells of a set with members whose records are gone', async () => {
  rmSync(`${linkOf('back')}.0/deployment.json`);
  const all = await tree.run('--json', 'update', '--all');
  assert.equal(all.status, 65, all.stderr);
  assert.match(all.stderr, /cannot update the set 'shop'.*back\.0\/deployment\.json' is missing/);
  assert.equal((JSON.parse(all.stdout) as unknown[]).length, 2);
  assert.deepEqual(await updated(), ['cow', 'hen', 'lone']);
  for (const name of ['back', 'front']) rmSync(linkOf(name));
  const both = await tree.run('update', '--all');
  assert.equal(both.status, 66, both.stderr);
  assert.match(both.stderr, /'front' and 'back' belong to it, and are not installed any more/);
});

test('of a set whose record is damaged nobody knows the members: only other sets are updated', async () => {
  writeFileSync(`${tree.path}/var/lib/berth/.sets/shop.json`, '{');
  const all = await tree.run('update', '--all');
  assert.equal(all.status, 65, all.stderr);
  assert.match(all.stderr, /cannot update the set 'shop'/);
  assert.match(all.stderr, /only other sets are updated until 'berth --root \S+ sets delete shop'/);
  const listed = await tree.run('sets', 'list');
  assert.deepEqual([listed.status, listed.stdout], [0, '@farm: cow hen\n']);
  assert.match(listed.stderr, /^berth: cannot read '@shop', leaving it out: /);
  assert.deepEqual(await updated(), ['cow', 'hen']);
  await tree.runOk('sets', 'delete', 'shop');
  await tree.runOk('update', '--all');
  assert.deepEqual(await updated(), [...NAMES].sort());
});

test('a set says beforehand what it would go back to', async () => {
  const early = await tree.run('rollback', '--plan', '@shop');
  assert.equal(early.status, 66, early.stderr);
  assert.match(early.stderr, /it has not been changed as a set, there is nothing to go back to/);
  await tree.runOk('update', '--no-pull', '@shop');
  assert.deepEqual(await updated(), [], 'the store alone knows of nothing new');
  await tree.runOk('update', '@shop');
  const before = listTree(tree.path);
  const plan = await tree.runOk('rollback', '--plan', '@shop');
  assert.deepEqual(
    plan.split('\n').filter((line) => /→ (?:front|back)|version|^Nothing/.test(line)),
    [
      'front.1 → front.0',
      '  ~ /version  (content; 3 B)',
      'back.1 → back.0',
      '  ~ /version  (content; 3 B)',
      "Nothing was changed. Leave '--plan' away to carry this out.",
    ],
  );
  const { action, members } = JSON.parse(
    await tree.runOk('--json', 'rollback', '--plan', '@shop'),
  ) as { readonly action: string; readonly members: readonly { readonly action: string }[] };
  assert.equal(action, 'planned');
  assert.deepEqual(
    members.map((member) => member.action),
    ['planned', 'planned'],
  );
  assert.deepEqual(listTree(tree.path), before, 'a plan changed something');
  const refused = await tree.run('rollback', '--plan', '--to', '0', '@shop');
  assert.equal(refused.status, 64, refused.stderr);
  await tree.runOk('rollback', '@shop');
  assert.deepEqual(await updated(), []);
  assert.match(await tree.runOk('rollback', '--plan', '@shop'), /^front\.0 → front\.1$/m);
});
