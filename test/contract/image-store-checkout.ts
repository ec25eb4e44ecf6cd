import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';

import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { listTree, treeLines } from '../support/list-tree.js';
import { CAPABILITY, FULL_LAYER, group, isRoot, LOCKED, owner } from './full-layer.js';
import { ACCEPTED_LAYERS } from './layer-cases.js';
import { addLayers, checkedOut, titleOf, withStore, type StoreKind } from './store-bench.js';

/** What becomes of the layers of an image where it is checked out. */
export function checkoutContract(kind: StoreKind): void {
  /** A time as this store keeps it. */
  const kept = (nanoseconds: bigint): bigint => (kind.keepsTimes ? nanoseconds : 0n);

  test(titleOf(kind, 'gives back what a layer has, to the nanosecond and byte'), async () => {
    await withStore(
      kind,
      async (store, directory) => {
        const image = await addLayers(store, [FULL_LAYER]);
        const out = await checkedOut(kind, { store, image, directory });
        const tree = listTree(out);
        assert.deepEqual([...tree.keys()].sort(), [
          '.',
          'bin',
          'bin/ping',
          'bin/same',
          ...(isRoot ? ['disk'] : []),
          'empty',
          'empty-too',
          'f\xff\n',
          'link',
          'link-too',
          'locked',
          'locked/file',
          ...(isRoot ? ['null'] : []),
          'pipe',
        ]);
        const facts = (path: string): unknown[] => {
          const { type, mode, uid, gid, mtimeNs, content } = tree.get(path) ?? assert.fail(path);
          return [type, mode, uid, gid, mtimeNs, content];
        };
        assert.deepEqual(facts('.'), [
          'directory',
          '750',
          owner(3),
          group(4),
          kept(12_000_000_034n),
          '',
        ]);
        assert.deepEqual(facts('bin'), [
          'directory',
          '1777',
          owner(0),
          group(0),
          kept(5_000_000_000n),
          '',
        ]);
        assert.deepEqual(facts('bin/ping'), [
          'file',
          isRoot ? '4755' : '755',
          owner(10),
          group(20),
          kept(1_350_244_992_023_960_108n),
          'program',
        ]);
        assert.deepEqual(tree.get('bin/ping')?.xattrs, {
          ...(isRoot ? { 'security.capability': CAPABILITY.toString('latin1') } : {}),
          'user.binary': '\0\xff',
        });
        assert.deepEqual(facts('empty'), [
          'file',
          '600',
          owner(0),
          group(0),
          kept(77_000_000_000n),
          '',
        ]);
        assert.deepEqual(facts('link').slice(2), [
          owner(1),
          group(2),
          kept(8_500_000_000n),
          '/bin/ping',
        ]);
        if (isRoot) {
          assert.deepEqual(
            [...facts('null').slice(0, 4), tree.get('null')?.rdev],
            ['character-device', '666', 0, 5, 0x103],
          );
          assert.equal(tree.get('disk')?.type, 'block-device');
        }
        assert.deepEqual(facts('pipe').slice(0, 2), ['fifo', '640']);
        // A user can always read and remove what is there.
        const locked = isRoot ? LOCKED : LOCKED | 0o700;
        assert.deepEqual(facts('locked').slice(0, 2), ['directory', locked.toString(8)]);
        assert.equal(tree.get('locked/file')?.content, 'inside');
        for (const [name, twin] of [
          ['bin/ping', 'bin/same'],
          ['empty', 'empty-too'],
          ['link', 'link-too'],
        ] as const) {
          assert.equal(
            tree.get(name)?.ino,
            tree.get(twin)?.ino,
            `${name} and ${twin} are one file`,
          );
        }
      },
      tmpdir(),
    ); // a real file system: times and attributes as in the field
  });

  each(titleOf(kind, 'lays layers over each other'), ACCEPTED_LAYERS, async ({ layers, want }) => {
    await withStore(kind, async (store, directory) => {
      const image = await addLayers(store, layers);
      assert.deepEqual(
        treeLines(await checkedOut(kind, { store, image, directory })),
        [...want].sort(),
      );
    });
  });

  test(titleOf(kind, 'makes mount points that the image lacks'), async () => {
    await withStore(kind, async (store, directory) => {
      const image = await addLayers(store, [
        [
          { path: 'etc/' },
          { path: 'etc/hosts', content: 'there' },
          { path: 'data', type: 'symlink', link: 'var/data' },
          { path: 'etc/resolv.conf', type: 'symlink', link: '../run/resolv.conf' },
          { path: 'out', type: 'symlink', link: '../../../../..' },
        ],
      ]);
      const out = `${directory}/out`;
      mkdirSync(out);
      const result = await store.checkout(await store.openTree(image), out, {
        mountPoints: [
          { path: '/proc', kind: 'directory' },
          { path: '/data/deep', kind: 'directory' },
          { path: '/etc/hosts', kind: 'file' },
          { path: '/etc/hostname', kind: 'file' },
          { path: '/etc/resolv.conf', kind: 'file' },
          { path: '/out/x', kind: 'directory' },
          { path: '/etc', kind: 'directory' },
        ],
      });
      assert.deepEqual(result.createdMountPoints, [
        '/proc',
        '/var',
        '/var/data',
        '/var/data/deep',
        '/etc/hostname',
        '/run',
        '/run/resolv.conf',
        '/x',
      ]);
      assert.deepEqual(
        treeLines(out),
        [
          'data -> var/data',
          'etc directory',
          'etc/hostname = ',
          'etc/hosts = there',
          'etc/resolv.conf -> ../run/resolv.conf',
          'out -> ../../../../..',
          'proc directory',
          'run directory',
          'run/resolv.conf = ',
          'var directory',
          'var/data directory',
          'var/data/deep directory',
          'x directory',
        ],
        'a mount point outside the root would be a path escape',
      );
      const tree = await store.openTree(image);
      assert.equal(tree.root.entries.has('proc'), false, 'the image itself is as it was');
    });
  });

  test(titleOf(kind, 'T24 makes devices only where it is told to'), async () => {
    await withStore(kind, async (store, directory) => {
      const image = await addLayers(store, [
        [{ path: 'null', type: 'character-device', major: 1, minor: 3 }],
      ]);
      mkdirSync(`${directory}/out`);
      const checkOut = async (): Promise<unknown> =>
        store.checkout(await store.openTree(image), `${directory}/out`);
      if (isRoot) await assertFails('LAYER_ENTRY_REFUSED', checkOut);
      else {
        // Who cannot make them has them in the record alone.
        await checkOut();
        assert.deepEqual(readdirSync(`${directory}/out`), []);
      }
    });
  });

  test(
    titleOf(kind, 'mends a checkout, and leaves alone what the image does not have'),
    async () => {
      await withStore(
        kind,
        async (store, directory) => {
          const image = await addLayers(store, [
            [
              { path: 'etc/', mode: 0o750, mtime: 7 },
              { path: 'etc/file', content: 'content', mode: 0o4755, uid: 3, mtime: '8.5' },
              { path: 'etc/empty', content: '' },
              { path: 'etc/link', type: 'symlink', link: 'file' },
              { path: 'deep/er/file', content: 'deep' },
            ],
          ]);
          const tree = await store.openTree(image);
          const out = await checkedOut(kind, { store, image, directory });
          mkdirSync(`${out}/proc`, { mode: 0o755 });
          for (const path of [`${out}/proc`, out]) utimesSync(path, 0, 0);
          const sound = listTree(out);
          assert.deepEqual(await store.mendCheckout(tree, out), { mended: [], left: [] });
          rmSync(`${out}/etc/file`);
          writeFileSync(`${out}/etc/file`, 'other');
          rmSync(`${out}/etc/link`);
          mkdirSync(`${out}/etc/link`);
          chmodSync(`${out}/etc`, 0o777);
          rmSync(`${out}/deep`, { recursive: true });
          writeFileSync(`${out}/mine`, 'mine');
          const { mended, left } = await store.mendCheckout(tree, out);
          assert.deepEqual([...mended].sort(), ['/', '/deep', '/etc', '/etc/file', '/etc/link']);
          assert.deepEqual(left, ['/mine']);
          rmSync(`${out}/mine`);
          await store.mendCheckout(tree, out);
          const facts = (from: ReturnType<typeof listTree>): unknown[] =>
            [...from].map(([path, entry]) => [path, { ...entry, ino: 0 }]);
          assert.deepEqual(facts(listTree(out)), facts(sound));
        },
        tmpdir(),
      );
    },
  );
}
