import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { test } from 'node:test';

import { parseDigest } from '../../src/oci/digest.js';
import { openOstreeStore } from '../../src/store/ostree/ostree-store.js';
import { feedLayer, storeLayer } from '../support/feed-layer.js';
import { runCommand, runOk } from '../support/run-command.js';
import { storedImageOf } from '../support/stored-image.js';
import { buildLayer, type TarItem } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';

/*
 * The repository of an OSTree-booted host lets everybody in, and its objects are the files of images themselves. What a user
 * of the host finds there that he could use is looked for as he would, with find.
 */

/** As `getcap` shows it: cap_net_raw+ep, for programs of any user. */
const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex');

const LAYER: readonly TarItem[] = [
  { path: 'usr/bin/su', content: 'setuid', mode: 0o4755 },
  { path: 'usr/bin/wall', content: 'setgid', mode: 0o2755, gid: 5 },
  { path: 'usr/bin/ping', content: 'capable', xattrs: { 'security.capability': CAPABILITY } },
  { path: 'home/app/main.js', content: 'of uid 1000', uid: 1000, gid: 1000 },
  { path: 'srv/all', content: 'everybody may write', mode: 0o666 },
  { path: 'srv/plain', content: 'nothing special' },
];
const DANGEROUS = 5;

/** Files that a user of uid 1000 could change, or get somebody else's rights by. */
const FIND = `
  cd "$1"
  find . -name '*.file' \\( -perm /6022 -o -uid 1000 \\) -printf '%P\\n'
  find . -name '*.file' -exec getfattr -h -m security.capability --absolute-names {} + | grep '^# file'
`;

async function findOpenDoors(objects: string): Promise<number> {
  const user = ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups'];
  const { stdout } = await runCommand([...user, 'sh', '-c', FIND, 'sh', objects]);
  return stdout.split('\n').filter(Boolean).length;
}

/** A repository as hosts have it, and the image in it. */
async function fill(directory: string, mode: number): Promise<string> {
  const repository = `${directory}/repo`;
  chmodSync(directory, 0o755);
  mkdirSync(repository, { mode });
  await runOk(['ostree', 'init', `--repo=${repository}`, '--mode=bare']);
  chmodSync(repository, mode);
  await using store = openOstreeStore(repository);
  const diffId = await storeLayer(store, LAYER);
  await store.addImage(storedImageOf([diffId], ['x']));
  return repository;
}

/** Owner, mode, attributes and links of everything in a checkout. */
async function lookAt(repository: string, directory: string): Promise<string> {
  await using store = openOstreeStore(repository);
  const image = await store.findImage('x');
  assert.ok(image);
  mkdirSync(directory);
  await store.checkout(await store.openTree(image), directory);
  const files = await runOk([
    ...['sh', '-c', `cd "$1" && find . -type f -printf '%P %U:%G %m\\n' | sort`, 'sh', directory],
  ]);
  const xattrs = await runOk([
    ...['getfattr', '-h', '-m', 'security.capability', '-d', '-e', 'hex', '--absolute-names'],
    `${directory}/usr/bin/ping`,
  ]);
  return `${files}${xattrs.split('\n')[1]}`;
}

const WANT = `home/app/main.js 1000:1000 644
srv/all 0:0 666
srv/plain 0:0 644
usr/bin/ping 0:0 644
usr/bin/su 0:0 4755
usr/bin/wall 0:5 2755
security.capability=0x${CAPABILITY.toString('hex')}`;

test('T20 T27 an image opens no doors in a repository that lets everybody in', async () => {
  using dir = new TempDir();
  const repository = await fill(dir.path, 0o755);
  assert.equal(await findOpenDoors(`${repository}/objects`), 0);
  assert.equal(await lookAt(repository, `${dir.path}/out`), WANT);
  await runOk(['ostree', 'fsck', `--repo=${repository}`, '--quiet']);
  assert.equal(statSync(`${dir.path}/out/srv/plain`).nlink, 2, 'what is harmless is shared');

  // Closed afterwards, its objects are still not the files.
  chmodSync(repository, 0o700);
  assert.equal(await lookAt(repository, `${dir.path}/closed`), WANT);
});

test('T20 T27 control: the files of an image, as they are, open doors', async () => {
  using dir = new TempDir();
  const repository = await fill(dir.path, 0o700);
  assert.equal(await lookAt(repository, `${dir.path}/out`), WANT);
  assert.equal(statSync(`${dir.path}/out/usr/bin/su`).nlink, 2, 'what is behind a door is shared');
  chmodSync(repository, 0o755);
  assert.equal(await findOpenDoors(`${repository}/objects`), DANGEROUS);
});

test('T20 T27 what older versions left open is named, made harmless by taking it in again, and pruned', async () => {
  using dir = new TempDir();
  const repository = await fill(dir.path, 0o700);
  chmodSync(repository, 0o755);
  await using store = openOstreeStore(repository);
  const { problems } = await store.fsck();
  const named = problems.filter(({ problem }) => problem.includes('every user of the host'));
  assert.deepEqual([problems.length, named.length], [DANGEROUS, DANGEROUS]);

  const layer = buildLayer(LAYER);
  const diffId = parseDigest(layer.diffId);
  assert.deepEqual([...new Set(named.flatMap(({ layers }) => layers))], [diffId]);
  {
    const replace = new Set(named.map(({ id }) => id));
    await using transaction = await store.beginLayer(diffId, { replace });
    await feedLayer(transaction.sink, layer);
    await transaction.commit();
  }
  assert.deepEqual((await store.fsck()).problems, []);
  await store.prune({ keep: new Set() });
  assert.equal(await findOpenDoors(`${repository}/objects`), 0);
  assert.equal(await lookAt(repository, `${dir.path}/out`), WANT);
  await runOk(['ostree', 'fsck', `--repo=${repository}`, '--quiet']);
});
