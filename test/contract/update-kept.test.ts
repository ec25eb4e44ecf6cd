import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import type { SetOutcome } from '../../src/containers/update-set.js';
import { BerthInTree } from '../support/berth-in-tree.js';

/* What an update leaves of files that were changed on a host is said beforehand, and with the container that has them. */

const NAMES = ['front', 'calm', 'back'];

let tree: BerthInTree;

function makeImage(name: string, text: string): string {
  return tree.makeImage(name, [{ path: 'version', content: text }], {
    [`hostfs/etc/${name}/${name}.conf`]: text,
  });
}

before(async () => {
  tree = new BerthInTree();
  for (const name of NAMES) {
    await tree.runOk('install', '--name', name, makeImage(name, 'one'));
    makeImage(name, 'two');
    if (name !== 'calm') writeFileSync(`${tree.path}/etc/${name}/${name}.conf`, 'mine');
  }
  await tree.runOk('sets', 'create', 'all', ...NAMES);
});

after(() => {
  tree[Symbol.dispose]();
});

test('a plan says what stays, and where the new one will be', async () => {
  assert.match(
    await tree.runOk('update', '--plan', 'front'),
    /\n\nChanged on this host, kept \(units as PATH\.save\)\n {2}\/etc\/front\/front\.conf; the image's will be in \/etc\/front\/front\.conf\.berth-new\n/,
  );
  assert.doesNotMatch(await tree.runOk('update', '--plan', 'calm'), /Changed on this host/);
});

test('members of a set tell of their own files', async () => {
  const all = async (...options: readonly string[]): Promise<unknown> => {
    const text = await tree.runOk('--json', 'update', ...options, '@all');
    const [{ members } = { members: [] }] = JSON.parse(text) as SetOutcome[];
    return members.map(({ name, kept, newVersions }) => [name, kept, newVersions]);
  };
  const own = (name: string): readonly string[] => [`/etc/${name}/${name}.conf`];
  const beside = (name: string): readonly string[] => [`/etc/${name}/${name}.conf.berth-new`];
  const wanted = NAMES.map((name) =>
    name === 'calm' ? [name, [], []] : [name, own(name), beside(name)],
  );
  assert.deepEqual(await all('--plan'), wanted);
  assert.deepEqual(await all(), wanted);
  for (const name of ['front', 'back'])
    assert.equal(readFileSync(`${tree.path}${beside(name)[0] ?? ''}`, 'utf8'), 'two');
});
