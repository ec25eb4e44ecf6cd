import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';

import type { Deployment } from '../../src/containers/deployment.js';
import { writeAtomicRepository } from '../support/atomic-repository.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { configTemplate, SERVICE_TEMPLATE } from '../support/exports-image.js';
import { writeForerunner } from '../support/forerunner.js';
import { snapshotTree } from '../support/tree-snapshot.js';

// What atomic installed becomes berth's by a record of it, and is berth's from then on.

const UNIT = 'etc/systemd/system/old.service';
const HOST_FILE = '/etc/old/old.conf';
const SKETCH = {
  name: 'old',
  image: 'docker.io/library/old:1',
  values: { PORT: '8080' },
  tmpfiles: 'd /run/old 0755 - - -\n',
  hostFiles: { [HOST_FILE]: 'port=80\n', '/etc/old/edited.conf': 'a=1\n' },
};

function makeTree(): BerthInTree {
  const tree = new BerthInTree();
  mkdirSync(`${tree.path}/etc/systemd/system/multi-user.target.wants`, { recursive: true });
  symlinkSync(
    '/etc/systemd/system/old.service',
    `${tree.path}/etc/systemd/system/multi-user.target.wants/old.service`,
  );
  return tree;
}

function recordOf(tree: BerthInTree): Deployment {
  const text = readFileSync(`${tree.path}/var/lib/berth/old/deployment.json`, 'utf8');
  return JSON.parse(text) as Deployment;
}

test('berth adopt records a container of atomic’s and changes nothing else', async () => {
  using tree = makeTree();
  const directory = writeForerunner(tree.path, SKETCH);
  const except = ['var/lib/berth', 'run'];
  const before = await snapshotTree(tree.path, { except });
  const all = await snapshotTree(tree.path);
  const plan = await tree.runOk('adopt', '--plan', '--all');
  assert.match(
    plan,
    /^old would be adopted from \/var\/lib\/containers\/atomic\/old\.0,[^]* {2}\/etc\/old\/old\.conf\n/,
  );
  assert.match(plan, /Nothing was changed\. Leave '--plan' away/);
  assert.deepEqual(await snapshotTree(tree.path), all);
  const said = await tree.runOk('adopt', '--all');
  assert.match(said, /^old adopted from \/var\/lib\/containers\/atomic\/old\.0\n/);
  assert.match(said, /commit e{64}/);
  assert.deepEqual(await snapshotTree(tree.path, { except }), before);
  assert.equal(readlinkSync(`${tree.path}/var/lib/berth/old`), 'old.0');
  const record = recordOf(tree);
  assert.equal(record.adoptedFrom, directory);
  assert.equal(record.rootfs, `${directory}/rootfs`);
  assert.deepEqual(record.setValues, { PORT: '8080' });
  assert.equal(record.values['HOST_UID'], '0');
  assert.deepEqual(
    record.files.map(({ role, path }) => [role, path]),
    [
      ['unit', `/${UNIT}`],
      ['tmpfiles', '/etc/tmpfiles.d/old.conf'],
      ['host-file', '/etc/old/edited.conf'],
      ['host-file', HOST_FILE],
    ],
  );
});

test('berth adopt again is success and changes nothing; list, info, history and verify know it', async () => {
  using tree = makeTree();
  writeForerunner(tree.path, SKETCH);
  await tree.runOk('adopt', '--json', 'old');
  const before = await snapshotTree(tree.path, { except: ['var/lib/berth/.locks'] });
  assert.equal(await tree.runOk('adopt', 'old'), 'old was adopted already, nothing changed\n');
  assert.deepEqual(await snapshotTree(tree.path, { except: ['var/lib/berth/.locks'] }), before);
  assert.match(await tree.runOk('list'), /old .*docker\.io\/library\/old:1/);
  assert.match(await tree.runOk('info', 'old'), /Container: old, deployment 0/);
  assert.match(await tree.runOk('history', 'old'), /library\/old:1/);
  const verified = await tree.runOk('verify', 'old');
  assert.match(verified, /^old\.0: as installed\n/);
  assert.match(verified, /checkout of atomic's: not compared/);
});

test('berth uninstall removes all of an adopted container, but what was changed', async () => {
  using tree = makeTree();
  writeForerunner(tree.path, { ...SKETCH, number: 1 });
  writeForerunner(tree.path, SKETCH);
  writeFileSync(`${tree.path}/etc/old/edited.conf`, 'a=2\n');
  mkdirSync(`${tree.path}/var/lib/containers/atomic/other.0`);
  await tree.runOk('adopt', 'old');
  const verified = await tree.run('verify', 'old');
  assert.match(verified.stdout, /edited\.conf: its content was changed/);
  const said = await tree.runOk('uninstall', 'old');
  assert.match(said, /kept \/etc\/old\/edited\.conf/);
  for (const gone of [
    UNIT,
    'etc/tmpfiles.d/old.conf',
    HOST_FILE.slice(1),
    'etc/systemd/system/multi-user.target.wants/old.service',
    'var/lib/berth/old.0',
    'var/lib/containers/atomic/old.0',
    'var/lib/containers/atomic/old.1',
  ]) {
    assert.equal(existsSync(`${tree.path}/${gone}`), false, gone);
  }
  assert.throws(() => lstatSync(`${tree.path}/var/lib/containers/atomic/old`), /ENOENT/);
  assert.equal(existsSync(`${tree.path}/var/lib/containers/atomic/other.0`), true);
});

test('berth adopt refuses a name that berth installed itself, and goes on with others', async () => {
  using tree = makeTree();
  const image = tree.makeImage('taken', [{ path: 'probe', content: '', mode: 0o755 }]);
  await tree.runOk('install', '--name', 'taken', image);
  writeForerunner(tree.path, { name: 'taken', image: 'x' });
  writeForerunner(tree.path, SKETCH);
  const result = await tree.run('adopt', '--all');
  assert.equal(result.status, 73);
  assert.match(result.stderr, /cannot adopt 'taken'\n.*berth has a container of that name already/);
  assert.match(result.stdout, /^old adopted/);
});

test('berth update moves an adopted container onto berth’s own checkout, rollback goes back', async () => {
  using tree = makeTree();
  const directory = writeForerunner(tree.path, SKETCH);
  const unitBefore = readFileSync(`${tree.path}/${UNIT}`, 'utf8');
  const image = tree.makeImage('new', [{ path: 'probe', content: '', mode: 0o755 }], {
    'hostfs/etc/old/old.conf': 'port=81\n',
    'hostfs/etc/old/edited.conf': 'a=1\n',
  });
  await tree.runOk('adopt', 'old');
  await tree.runOk('update', '--rebase', image, 'old');
  const record = recordOf(tree);
  assert.deepEqual(
    [record.number, record.runtime, record.rootfs, record.adoptedFrom, record.setValues],
    [1, 'berth', 'checkout', undefined, { PORT: '8080' }],
  );
  assert.equal(record.values['UUID'], '7c2b24a5-6d5f-4a36-8c1d-5a5cbbdca7cf');
  assert.equal(readFileSync(`${tree.path}${HOST_FILE}`, 'utf8'), 'port=81\n');
  assert.equal(existsSync(`${tree.path}${directory}`), true);
  assert.equal(await tree.runOk('adopt', 'old'), 'old was adopted already, nothing changed\n');
  await tree.runOk('rollback', 'old');
  assert.equal(readFileSync(`${tree.path}/${UNIT}`, 'utf8'), unitBefore);
  assert.equal(readFileSync(`${tree.path}${HOST_FILE}`, 'utf8'), 'port=80\n');
  await tree.runOk('rollback', 'old');
  for (const port of ['1', '2', '3']) await tree.runOk('update', '--set', `PORT=${port}`, 'old');
  assert.equal(existsSync(`${tree.path}${directory}`), false);
  assert.throws(() => lstatSync(`${tree.path}/var/lib/containers/atomic/old`), /ENOENT/);
});

test('an adopted container’s image stays in atomic’s repository, and its update takes it where no registry answers', async () => {
  using tree = makeTree();
  const image = '127.0.0.1:1/library/old:1';
  const repository = `${tree.path}/var/lib/containers/atomic/.storage/ostree`;
  const exports = {
    'service.template': SERVICE_TEMPLATE,
    'config.json.template': configTemplate(),
  };
  const [written] = await writeAtomicRepository(repository, [
    {
      name: image,
      ref: '127.0.0.1_3A1_2Flibrary_2Fold_3A1',
      layers: [
        [
          { path: 'probe', content: 'new', mode: 0o755 },
          { path: 'exports/' },
          ...Object.entries(exports).map(([file, content]) => ({
            path: `exports/${file}`,
            content,
          })),
        ],
      ],
    },
  ]);
  const digest = written?.digest ?? '';
  writeForerunner(tree.path, { ...SKETCH, image, info: { revision: digest.slice(7) } });
  await tree.runOk('adopt', 'old');
  const listed = JSON.parse(await tree.runOk('images', 'list', '--json')) as readonly {
    readonly storage: string;
    readonly usedBy: readonly string[];
  }[];
  assert.deepEqual(
    listed.map(({ storage, usedBy }) => [storage, usedBy]),
    [['ostree', ['old']]],
  );
  await tree.runOk('images', 'prune', '--all');
  assert.equal((await tree.run('images', 'delete', image)).status, 73, 'it is in use');

  const rebased = await tree.run('update', '--rebase', image, 'old');
  assert.notEqual(rebased.status, 0, 'who names an image wants it from its registry');
  const updated = await tree.run('update', 'old');
  assert.equal(updated.status, 0, updated.stderr);
  assert.match(updated.stderr, /127\.0\.0\.1:1.*; taking sha256:[0-9a-f]{64}, which the store has/);
  const record = recordOf(tree);
  assert.deepEqual(
    [record.number, record.storage, record.image.digest, record.rootfs],
    [1, 'ostree', digest, 'checkout'],
  );
  assert.equal(readFileSync(`${tree.path}/var/lib/berth/old.1/rootfs/probe`, 'utf8'), 'new');
  // Once it is berth's own, it is a registry's word that counts, as for all others.
  assert.notEqual((await tree.run('update', 'old')).status, 0);
});

for (const stage of ['before the link', 'after the link'] as const) {
  test(`an adoption that was killed ${stage} is recovered, and atomic’s container stays`, async () => {
    using tree = makeTree();
    const directory = writeForerunner(tree.path, SKETCH);
    await tree.runOk('adopt', 'old');
    const { number, image } = recordOf(tree);
    const to = {
      number,
      digest: image.digest,
      files: [],
      units: [],
      enabled: [],
      createdPaths: [],
    };
    const transition = { name: 'old', from: null, to, builds: true, starts: false, dependents: [] };
    mkdirSync(`${tree.path}/var/lib/berth/.journal`, { recursive: true });
    writeFileSync(
      `${tree.path}/var/lib/berth/.journal/old.json`,
      JSON.stringify({
        format: 2,
        operation: 'adopt',
        name: 'old',
        transitions: [transition],
        purge: false,
        keep: 1,
        watch: false,
      }),
    );
    if (stage === 'before the link') unlinkSync(`${tree.path}/var/lib/berth/old`);
    const planned = await tree.runOk('recover', '--plan');
    const verb = stage === 'after the link' ? 'finish' : 'take back';
    assert.match(planned, new RegExp(`^would ${verb} the adopt of old\nNothing was changed`));
    const [row] = (
      JSON.parse(await tree.runOk('recover', '--plan', '--json')) as { planned: unknown[] }
    ).planned;
    assert.deepEqual(row, { name: 'old', operation: 'adopt', action: verb });
    await tree.runOk('recover');
    assert.equal(await tree.runOk('recover', '--plan'), 'nothing was interrupted\n');
    assert.equal(existsSync(`${tree.path}/var/lib/berth/old.0`), stage === 'after the link');
    assert.equal(existsSync(`${tree.path}${directory}/rootfs`), true);
    assert.equal(existsSync(`${tree.path}/${UNIT}`), true);
    assert.equal(existsSync(`${tree.path}${HOST_FILE}`), true);
    await tree.runOk('adopt', 'old');
    assert.match(await tree.runOk('list'), /^old/m);
  });
}
