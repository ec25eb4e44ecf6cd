import assert from 'node:assert/strict';
import { readdirSync, writeFileSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';
import type { CommandResult } from '../support/run-command.js';
import { writeLayout } from '../support/write-layout.js';

interface ListedRow {
  readonly name: string;
  readonly digest: string;
  readonly usedBy: readonly string[];
}

async function list(tree: BerthInTree): Promise<readonly ListedRow[]> {
  return JSON.parse(await tree.runOk('--json', 'images', 'list')) as ListedRow[];
}

function assertRefused(result: CommandResult, status: number, says: RegExp): void {
  assert.equal(result.status, status, result.stderr);
  assert.match(result.stderr, says);
}

test('images are named, listed with who uses them, deleted and pruned', async () => {
  using tree = new BerthInTree();
  const shared = { path: 'shared', content: 'in both' };
  const used = tree.makeImage('used', [shared, { path: 'own', content: 'used' }]);
  const spare = tree.makeImage('spare', [shared, { path: 'own', content: 'spare' }]);
  await tree.runOk('install', '--name', 'web', used);
  await tree.runOk('pull', spare);
  const rows = await list(tree);
  const digestOf = (name: string): string =>
    rows.find((row) => row.name.includes(name))?.digest ?? assert.fail(name);
  assert.deepEqual(
    rows.map(({ name, usedBy }) => [name.includes('used'), usedBy]).sort(),
    [
      [false, []],
      [true, ['web']],
    ].sort(),
  );

  assert.match(await tree.runOk('images', 'tag', digestOf('spare'), 'r.example/x:1'), /r\.example/);
  assert.equal((await list(tree)).length, 2);
  const found = await tree.runOk('images', 'list', '--noheading', '--filter', 'name=r.example');
  assert.match(found, /^ +r\.example\/x:1 \+1 .*\n$/, 'the name that was asked for is shown');
  assert.match(await tree.runOk('images', 'info', 'r.example/x:1'), /Digest/);
  assertRefused(await tree.run('images', 'tag', 'nothing-such', 'r.example/x:1'), 66, /no image/);
  assertRefused(await tree.run('images', 'tag', digestOf('spare'), spare), 64, /cannot be given/);

  for (const text of [used, digestOf('used'), digestOf('used').slice(7, 15)])
    assertRefused(await tree.run('images', 'delete', text), 73, /'web' was made of it/);
  assert.match(await tree.runOk('images', 'prune', '--all', '--plan'), /r\.example\/x:1/);
  assert.match(await tree.runOk('images', 'prune'), /^removed 0 images, 0 layers and 0 objects/);
  const plan = await tree.runOk('images', 'delete', '--plan', spare);
  assert.match(plan, /^would remove the name .* of sha256:\w{64}\nNothing was changed/);
  assert.match(await tree.runOk('images', 'delete', spare), /removed the name/);
  assert.match(await tree.runOk('images', 'verify', 'r.example/x:1'), /all sound/);
  const last = await tree.runOk('images', 'delete', '--plan', 'r.example/x:1');
  assert.match(last, /^would delete sha256:\w{64} r\.example\/x:1, \d+ B at most\n/);
  const refused = await tree.run('images', 'delete', '--plan', used);
  assertRefused(refused, 73, /'web' was made of it/);
  assert.match(await tree.runOk('images', 'delete', 'r.example/x:1'), /^deleted sha256:/);
  assert.equal((await list(tree)).length, 1);
  assertRefused(await tree.run('images', 'delete', spare), 66, /no image/);

  await tree.runOk('pull', spare);
  assert.match(await tree.runOk('images', 'prune', '--all'), /^removed 1 images/);
  assert.match(await tree.runOk('verify', 'web'), /as installed/);
  assert.match(await tree.runOk('fsck'), /all sound/);
});

test('several images are deleted one by one, as their plan says', async () => {
  using tree = new BerthInTree();
  const [one = '', other = ''] = ['one', 'other'].map((name) =>
    tree.makeImage(name, [{ path: 'own', content: name }]),
  );
  for (const image of [one, other]) await tree.runOk('pull', image);
  await tree.runOk('images', 'tag', one, 'r.example/x:1');
  const words = [one, 'nothing-such', 'r.example/x:1', one, other];
  const plan = await tree.run('images', 'delete', '--plan', ...words);
  assertRefused(plan, 66, /'nothing-such'[^]*there is no image '[^']*one:image'/);
  const done = await tree.run('images', 'delete', ...words);
  assertRefused(done, 66, /'nothing-such'[^]*there is no image '[^']*one:image'/);
  assert.deepEqual(
    [plan, done].map(({ stdout }) => stdout.match(/^(?:would )?(?:remove|delete)/gm)),
    [
      ['would remove', 'would delete', 'would delete'],
      ['remove', 'delete', 'delete'],
    ],
  );
  assert.ok(plan.stdout.endsWith("Leave '--plan' away to carry this out.\n"), plan.stdout);
  assert.deepEqual(await list(tree), []);
});

test('berth images verify names what is damaged, of one image or of all', async () => {
  using tree = new BerthInTree();
  const good = tree.makeImage('good', [{ path: 'a', content: 'good content' }]);
  const bad = tree.makeImage('bad', [{ path: 'a', content: 'bad content' }]);
  for (const image of [good, bad]) await tree.runOk('pull', image);
  const objects = `${tree.path}/var/lib/berth/.store/objects`;
  for (const folder of readdirSync(objects)) {
    for (const name of readdirSync(`${objects}/${folder}`)) {
      const path = `${objects}/${folder}/${name}`;
      if (readFileSync(path, 'latin1') === 'bad content') writeFileSync(path, 'BAD content');
    }
  }
  assert.match(await tree.runOk('images', 'verify', good), /all sound/);
  for (const args of [[bad], []]) {
    const found = await tree.run('images', 'verify', ...args);
    assert.equal(found.status, 1, found.stdout);
    assert.match(found.stdout, /^! object /);
  }
});

test('F19 pruning beside installing takes nothing that an install needs', async () => {
  using tree = new BerthInTree();
  const images = [1, 2, 3].map((number) =>
    tree.makeImage(`image${number}`, [
      { path: 'shared', content: 'in all' },
      { path: 'own', content: `own ${number}` },
    ]),
  );
  for (let round = 0; round < 3; round += 1) {
    const installing = images.map((image, index) =>
      tree.run('install', '--name', `web${index}`, image),
    );
    const pruning = [1, 2, 3].map(() => tree.run('images', 'prune', '--all'));
    for (const result of await Promise.all([...installing, ...pruning]))
      assert.equal(result.status, 0, result.stderr);
    assert.match(await tree.runOk('fsck'), /all sound/, 'pruning took what an install needs');
    for (const index of [0, 1, 2])
      assert.match(await tree.runOk('verify', `web${index}`), /as installed/);
    await tree.runOk('uninstall', 'web0', 'web1', 'web2');
    await tree.runOk('images', 'prune', '--all');
    assert.deepEqual(await list(tree), []);
  }
});

test('images version puts name, version and release of the labels together, whoever wrote them', async () => {
  using tree = new BerthInTree();
  const rows = [
    {
      name: 'old',
      Labels: { Name: 'rhel7/etcd', Version: '3.1.9', Release: '4' },
      says: 'rhel7/etcd-3.1.9-4',
    },
    {
      name: 'new',
      Labels: {
        'org.opencontainers.image.title': 'etcd',
        'org.opencontainers.image.version': '3.5\u001b[2J',
      },
      says: 'etcd-3.5\\x1b[2J',
    },
    { name: 'empty', Labels: { version: '', name: 'x' }, says: '(none)' },
    { name: 'plain', Labels: {}, says: '(none)' },
  ];
  for (const { name, Labels, says } of rows) {
    const image = writeLayout(tree.layout(name), {
      layers: [[{ path: name }]],
      process: { Labels },
    });
    await tree.runOk('pull', image);
    const [, line = ''] = (await tree.runOk('images', 'version', image)).split('\n');
    assert.ok(line.includes(` ${says} `), `${name}: ${line}`);
  }
  const [web] = JSON.parse(
    await tree.runOk('--json', 'images', 'version', `oci:${tree.layout('old')}:image`),
  ) as { version: string }[];
  assert.equal(web?.version, 'rhel7/etcd-3.1.9-4');
  assertRefused(await tree.run('images', 'version', 'no/such:image'), 66, /no image in the store/);
});

test('scripts of atomic find what they knew, or are told what to use', async () => {
  using tree = new BerthInTree();
  const image = tree.makeImage('web', [{ path: 'own', content: 'x' }]);
  for (const name of ['web', 'other']) await tree.runOk('install', '--name', name, image);
  assert.match(await tree.runOk('containers', 'list', '-n', '-a'), /^other +\S+ [^]*\nweb +\S+ /);
  assert.equal(await tree.runOk('containers', 'list', '-q', '--filter', 'container=we'), 'web\n');
  assert.equal(await tree.runOk('list', '-q', '--filter', 'runtime=runc'), '');
  assert.match(await tree.runOk('images', 'list', '-a', '-n', '-f', 'repo=web'), /^> +oci:/);
  assert.equal(await tree.runOk('images', 'list', '-q', '-f', 'type=ostree'), '');
  assertRefused(await tree.run('images', 'delete', '-f', image), 73, /were made of it/);
  assertRefused(await tree.run('list', '--filter', 'backend=docker'), 64, /container=, image=/);
  assert.equal(
    await tree.runOk('containers', 'delete', 'web', 'other'),
    'web uninstalled\nother uninstalled\n',
  );
  for (const [words, says] of [
    [['run', '--spc', image], /unknown option '--spc'\nhint: atomic took it; here berth gives/],
    [['images', 'update', image], /unknown command 'update'.*\nhint: .*berth pull IMAGE fetches/],
    [['version'], /hint: .*berth --version is that of berth/],
    [['--assumeyes', 'list'], /hint: .*it is -y/],
  ] as const)
    assertRefused(await tree.run(...words), 64, says);
});
