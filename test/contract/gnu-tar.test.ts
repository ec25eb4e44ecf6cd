import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  linkSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';

import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import { AT_FDCWD } from '../../src/sys/libc.js';
import { setXattrAt } from '../../src/sys/xattrs.js';
import { each } from '../support/each.js';
import { storeLayer } from '../support/feed-layer.js';
import { listTree } from '../support/list-tree.js';
import { storedImageOf } from '../support/stored-image.js';
import { buildLayer } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';

/** A tree with what archives have: `rich` adds what only PAX can say. */
function makeTree(root: string, rich: boolean): void {
  const long = rich ? 'long'.repeat(60) : 'short';
  mkdirSync(`${root}/dir/${long}`, { recursive: true, mode: 0o711 });
  writeFileSync(`${root}/dir/file`, 'content', { mode: 0o4750 });
  linkSync(`${root}/dir/file`, `${root}/dir/twin`);
  writeFileSync(`${root}/dir/${long}/deep`, Buffer.alloc(200_000, 'deep'));
  writeFileSync(Buffer.from(`${root}/dir/f\xff\xe9`, 'latin1'), 'not UTF-8');
  writeFileSync(`${root}/empty`, '');
  symlinkSync(`/etc/${rich ? 'target'.repeat(40) : 'target'}`, `${root}/link`);
  spawnSync('mkfifo', ['-m', '640', `${root}/pipe`]);
  lutimesSync(`${root}/link`, 5, 1_234_567_890);
  if (!rich) return;
  const at = { dirFd: AT_FDCWD, name: `${root}/dir/file` };
  setXattrAt(at, { name: 'user.binary', value: Buffer.from([0, 255, 10]) });
}

function tar(args: readonly string[]): void {
  const { status, stderr } = spawnSync('tar', args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

each(
  'what GNU tar archives comes out as GNU tar unpacks it',
  [
    { name: 'PAX', options: ['--format=posix', '--xattrs', '--xattrs-include=*'], rich: true },
    { name: 'GNU', options: ['--format=gnu'], rich: false },
    { name: 'GNU with long names', options: ['--format=gnu', '--no-xattrs'], rich: true },
    { name: 'ustar', options: ['--format=ustar'], rich: false },
    { name: 'v7', options: ['--format=v7', '--exclude=pipe'], rich: false },
  ],
  async ({ options, rich }) => {
    using dir = new TempDir(tmpdir());
    const [source, archive, theirs, ours] = ['source', 'archive.tar', 'theirs', 'ours'].map(
      (name) => `${dir.path}/${name}`,
    ) as [string, string, string, string];
    for (const folder of [source, theirs, ours]) mkdirSync(folder);
    makeTree(source, rich);
    tar([...options, '-C', source, '-cf', archive, '.']);
    tar(['-C', theirs, '--numeric-owner', '--xattrs', '--xattrs-include=*', '-xpf', archive]);
    await using store = openEmbeddedStore(`${dir.path}/store`);
    const diffId = await storeLayer(store, buildLayer(readFileSync(archive)));
    const image = await store.addImage(storedImageOf([diffId], ['image']));
    await store.checkout(await store.openTree(image), ours);
    const [expected, actual] = [theirs, ours].map((root) =>
      [...listTree(root)].map(([path, entry]) => [path, { ...entry, ino: 0n }]).sort(),
    );
    assert.deepEqual(actual, expected);
  },
);
