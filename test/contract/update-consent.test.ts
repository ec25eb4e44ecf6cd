import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';

import type { UpdateOutcome } from '../../src/containers/update-outcome.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { configTemplate } from '../support/exports-image.js';
import { writeForerunner } from '../support/forerunner.js';
import { onScriptTerminal } from '../support/on-script-terminal.js';
import { compareSnapshots, snapshotTree } from '../support/tree-snapshot.js';

// S33: a new version that may do more than the installed one asks, however good its signature is.

/** A config.json that may do more than the usual one. */
const MORE = configTemplate({
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/host', type: 'bind', source: '/etc', options: ['rbind'] },
  ],
});

/** The same for a value that its administrator gives. */
const BY_VALUE = configTemplate({
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/host', type: 'bind', source: '$SHARED', options: ['rbind'] },
  ],
});

interface ImageSketch {
  /** Decides what it may do. */
  readonly config?: string;
  /** Makes images of one sketch differ. */
  readonly word?: string;
}

/** Makes, or makes anew, the image `NAME`. */
function image(tree: BerthInTree, name: string, { config, word = 'x' }: ImageSketch = {}): string {
  const files = [{ path: 'probe', content: word, mode: 0o755 }, { path: 'host/' }];
  return tree.makeImage(name, files, {
    'config.json.template': config ?? configTemplate(),
    'manifest.json': JSON.stringify({ defaultValues: { SHARED: '/usr' } }),
  });
}

async function installed(sketch?: ImageSketch): Promise<BerthInTree> {
  const tree = new BerthInTree();
  await tree.runOk('install', '--name', 'web', image(tree, 'web', sketch));
  return tree;
}

const present = (tree: BerthInTree, name = 'web'): string =>
  readlinkSync(`${tree.path}/var/lib/berth/${name}`);

test('without a terminal it is refused in a line, and nothing is changed', async () => {
  using tree = await installed();
  image(tree, 'web', { config: MORE });
  const except = ['var/lib/berth/.store', 'var/lib/berth/.locks'];
  const before = await snapshotTree(tree.path, { except });
  const refused = await tree.run('update', 'web');
  assert.equal(refused.status, 77, refused.stderr);
  assert.equal(refused.stdout, '');
  assert.match(
    refused.stderr,
    /^berth: refusing to update 'web': .*: mount \/etc at \/host\nhint: .*'--allow-new-permissions'.*\n$/m,
  );
  assert.deepEqual(compareSnapshots(before, await snapshotTree(tree.path, { except })), []);
  const said = await tree.run('update', '--json', 'web');
  assert.deepEqual([said.status, said.stdout], [77, '']);
  const error = (
    JSON.parse(said.stderr.trim().split('\n').at(-1) ?? '') as { error: { code: string } }
  ).error;
  assert.equal(error.code, 'CONSENT_MISSING');
});

test('the plan shows what is asked for', async () => {
  using tree = await installed();
  image(tree, 'web', { config: MORE });
  const plan = await tree.runOk('update', '--plan', 'web');
  assert.match(
    plan,
    /May do more than what is installed\n {2}\+ mount \/etc at \/host\n.*you are asked/,
  );
  const [outcome] = JSON.parse(
    await tree.runOk('update', '--plan', '--json', 'web'),
  ) as UpdateOutcome[];
  assert.deepEqual(
    [outcome?.action, outcome?.gained, outcome?.asks],
    ['planned', ['mount /etc at /host'], ['mount /etc at /host']],
  );
  assert.equal(present(tree), 'web.0');
});

for (const option of ['-y', '--allow-new-permissions'] as const) {
  test(`${option} allows it, and it is told`, async () => {
    using tree = await installed();
    image(tree, 'web', { config: MORE });
    assert.match(await tree.runOk('update', option, 'web'), /\n {2}new: mount \/etc at \/host\n/);
    assert.equal(present(tree), 'web.1');
    // What is there already is no growth; neither is less, nor going back.
    image(tree, 'web', { config: MORE, word: 'y' });
    await tree.runOk('update', 'web');
    image(tree, 'web', { word: 'z' });
    await tree.runOk('update', 'web');
    assert.match(await tree.runOk('rollback', 'web'), /new: mount \/etc at \/host/);
  });
}

test('on a terminal it asks, and a yes is for what was shown', async () => {
  using tree = await installed();
  image(tree, 'web', { config: MORE });
  const question = 'Update web? [y/N] ';
  for (const answer of ['\r', 'n\r', 'yesterday\r', '\u0004']) {
    const { status, seen } = await onScriptTerminal(tree.command('update', 'web'), [
      [question, answer],
    ]);
    assert.deepEqual([status, present(tree)], [77, 'web.0'], seen);
    assert.match(seen, /may do more than what is installed:\r\n {2}\+ mount \/etc at \/host\r\n/);
    assert.match(seen, /'web' stays as it is/);
  }
  const interrupted = await onScriptTerminal(tree.command('update', 'web'), [[question, '\u0003']]);
  assert.deepEqual([interrupted.status, present(tree)], [130, 'web.0'], interrupted.seen);
  // While it waits for the answer, nobody else waits for it; what comes meanwhile is asked about anew.
  const { status, seen } = await onScriptTerminal(tree.command('update', 'web'), [
    [
      question,
      'y\r',
      () => {
        image(tree, 'web', { config: MORE, word: 'changed meanwhile' });
        return Promise.resolve();
      },
    ],
    [
      question,
      ' Yes\r',
      async () => {
        await tree.runOk('policy', 'web', '--mode', 'check');
      },
    ],
  ]);
  assert.equal(status, 0, seen);
  assert.match(readFileSync(`${tree.path}/var/lib/berth/web/rootfs/probe`, 'utf8'), /meanwhile/);
});

test('what follows from a value that is typed was asked for with it; with a new image it is not', async () => {
  using tree = await installed({ config: BY_VALUE });
  const told = await tree.runOk('update', '--set', 'SHARED=/etc', 'web');
  assert.match(told, /new: mount \/etc at \/host/);
  image(tree, 'web', { config: BY_VALUE, word: 'new' });
  assert.equal((await tree.run('update', '--set', 'SHARED=/opt', 'web')).status, 77);
  const other = image(tree, 'other', { config: BY_VALUE, word: 'another' });
  assert.equal(
    (await tree.run('update', '--rebase', other, '--set', 'SHARED=/opt', 'web')).status,
    77,
  );
  assert.equal(present(tree), 'web.1');
});

test('a guarded path that is named for it is allowed by that; another file beside it is not', async () => {
  for (const [file, status] of [
    ['etc/profile.d/web.sh', 0],
    ['etc/web.conf', 77],
  ] as const) {
    using tree = await installed();
    tree.makeImage('web', [], { 'hostfs/etc/profile.d/web.sh': '', [`hostfs/${file}`]: '' });
    const result = await tree.run('update', '--allow-host-path', '/etc/profile.d/web.sh', 'web');
    assert.equal(result.status, status, result.stderr);
  }
});

test('with --all the others go on; of a set all are updated, or none', async () => {
  using tree = await installed();
  await tree.runOk('install', '--name', 'db', image(tree, 'db'));
  image(tree, 'web', { config: MORE });
  image(tree, 'db', { word: 'new' });
  const all = await tree.run('update', '--all');
  assert.equal(all.status, 77, all.stderr);
  assert.deepEqual([present(tree), present(tree, 'db')], ['web.0', 'db.1']);

  await tree.runOk('sets', 'create', 'shop', 'web', 'db');
  image(tree, 'db', { word: 'newer' });
  const set = await tree.run('update', '@shop');
  assert.equal(set.status, 77, set.stderr);
  assert.match(set.stderr, /refusing to update '@shop': .*mount \/etc at \/host/);
  assert.deepEqual([present(tree), present(tree, 'db')], ['web.0', 'db.1']);
  await onScriptTerminal(tree.command('update', '@shop'), [['Update @shop? [y/N] ', 'y\r']]);
  assert.deepEqual([present(tree), present(tree, 'db')], ['web.1', 'db.2']);
});

test('the first update of what atomic installed asks for what its config.json did not have', async () => {
  for (const [config, status] of [
    [MORE, 0],
    [configTemplate(), 77],
    ['{"ociVersion": "1.0.0"}', 77],
  ] as const) {
    using tree = new BerthInTree();
    const reference = image(tree, 'web', { config: MORE });
    writeForerunner(tree.path, { name: 'old', image: 'docker.io/library/old:1', config });
    await tree.runOk('adopt', 'old');
    const result = await tree.run('update', '--rebase', reference, 'old');
    assert.equal(result.status, status, `${config}\n${result.stderr}`);
  }
});
