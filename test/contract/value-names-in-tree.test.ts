import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';
import { each } from '../support/each.js';
import { TempDir } from '../support/temp-dir.js';

// What becomes of a value whose name is misspelt: it may be a secret, so it is neither kept nor shown.

const SECRET = 'hunter2-correct-horse';

function makeSecretImage(tree: BerthInTree): string {
  const manifest = { variables: { PASSWORD: { secret: true }, PORT: { default: '80' } } };
  return tree.makeImage('web', [{ path: 'srv/' }], {
    'manifest.json': JSON.stringify(manifest),
  });
}

/** Files below a folder that hold the secret, in the order of their names. */
function holders(path: string): readonly string[] {
  const found = execFileSync('grep', ['-rlF', '--', SECRET, path, '/dev/null'], {
    encoding: 'utf8',
  });
  return found.split('\n').filter((line) => line !== '');
}

function nobodyHolds(path: string): void {
  assert.throws(() => holders(path), { status: 1 }, 'THE SECRET WAS WRITTEN DOWN');
}

each(
  'a secret under a misspelt name, given',
  [
    { name: 'by file', args: (file: string) => ['--set', `PASSWROD=@${file}`] },
    { name: 'on the command line', args: () => ['--set', `PASSWROD=${SECRET}`] },
    {
      name: 'in a file of values',
      args: (file: string) => {
        writeFileSync(`${file}.values`, `PASSWROD=${SECRET}\n`);
        return ['--values', `${file}.values`];
      },
    },
  ],
  async ({ args }) => {
    using folder = new TempDir();
    const file = `${folder.path}/secret`;
    writeFileSync(file, SECRET);
    using tree = new BerthInTree();
    const image = makeSecretImage(tree);
    const installed = await tree.run('install', '--name', 'web', ...args(file), image);
    assert.equal(installed.status, 0, installed.stderr);
    assert.match(
      installed.stderr,
      /no variable 'PASSWROD', ignoring it; did you mean 'PASSWORD'\?/,
    );
    assert.doesNotMatch(installed.stdout + installed.stderr, new RegExp(SECRET));
    nobodyHolds(`${tree.path}/var`);
    nobodyHolds(`${tree.path}/etc`);
  },
);

test('a misspelt name changes nothing, again and again', async () => {
  using folder = new TempDir();
  const file = `${folder.path}/secret`;
  writeFileSync(file, SECRET);
  using tree = new BerthInTree();
  const image = makeSecretImage(tree);
  const args = ['--set', `PASSWROD=@${file}`];
  await tree.runOk('install', '--name', 'web', ...args, image);
  // The same again is the same, and an update by nothing but such a name is none.
  const again = await tree.run('install', '--name', 'web', ...args, image);
  assert.match(again.stdout, /nothing changed/, again.stderr);
  assert.match(again.stderr, /no variable 'PASSWROD', ignoring it; did you mean 'PASSWORD'/);
  const updated = await tree.run('update', ...args, 'web');
  assert.equal(updated.status, 0, updated.stderr);
  assert.match(updated.stderr, /did you mean 'PASSWORD'/);
  const [state] = JSON.parse(await tree.runOk('list', '--json')) as { deployment: number }[];
  assert.equal(state?.deployment, 0, 'no new deployment was made');
  nobodyHolds(`${tree.path}/var`);
  // Positive control: under its right name it is found, in the file of its credential alone.
  await tree.runOk('update', '--set', `PASSWORD=@${file}`, 'web');
  const [credential, ...others] = holders(`${tree.path}/var`);
  assert.match(credential ?? '', /web\.1\/credentials\/PASSWORD$/);
  assert.deepEqual(others, []);
});

test('a value that is given in the wrong way is not shown', async () => {
  using tree = new BerthInTree();
  const image = makeSecretImage(tree);
  for (const wrong of [`db-password=${SECRET}`, SECRET, `=${SECRET}`]) {
    const { status, stdout, stderr } = await tree.run('install', '--set', wrong, image);
    assert.equal(status, 64, stderr);
    assert.doesNotMatch(stdout + stderr, new RegExp(SECRET));
  }
});

test('a value for a variable that one version does not have is there for the next', async () => {
  using tree = new BerthInTree();
  const image = makeSecretImage(tree);
  const without = tree.makeImage('plain', [{ path: 'srv/' }]);
  await tree.runOk('install', '--name', 'web', '--set', 'PORT=8080', image);
  await tree.runOk('update', '--rebase', without, 'web');
  const back = await tree.runOk('update', '--rebase', image, '--json', 'web');
  assert.match(back, /updated/);
  const record = await tree.runOk('info', '--json', 'web');
  assert.match(record, /8080/);
});
