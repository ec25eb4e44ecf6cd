import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import { DEFAULT_LAYER_LIMITS, type LayerLimits } from '../../src/layer/limits.js';
import type { DirectoryNode } from '../../src/layer/tree.js';
import { createMemoryLayerSink, mergeMemoryLayers } from '../../src/store/memory-layer.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { feedLayer } from '../support/feed-layer.js';
import { buildLayer, type TarItem } from '../support/tar-builder.js';

async function unpack(
  items: readonly TarItem[],
  limits: LayerLimits = DEFAULT_LAYER_LIMITS,
): Promise<{ readonly root: DirectoryNode; readonly warnings: readonly string[] }> {
  const warnings: string[] = [];
  const memory = createMemoryLayerSink({ keep: () => true, maxKeptBytes: 10_000_000 });
  await feedLayer(memory.sink, buildLayer(items), {
    limits,
    onWarning: (message) => warnings.push(message),
  });
  return { root: mergeMemoryLayers([memory.finish()]).root, warnings };
}

const manyXattrs = Object.fromEntries(
  Array.from({ length: 10_000 }, (_, number) => [`user.n${number}`, 'x']),
);

each(
  'a layer is refused for',
  [
    {
      name: 'T25 character device 0:0, the whiteout of overlayfs',
      item: { path: 'f', type: 'character-device' },
    },
    {
      name: 'T25 a device number that Linux has not',
      item: { path: 'f', type: 'block-device', major: 4096, minor: 0 },
    },
    { name: 'T30 an attribute without a name', item: { path: 'f', pax: { 'SCHILY.xattr.': 'x' } } },
    {
      name: 'T30 an attribute of nothing but a namespace',
      item: { path: 'f', xattrs: { 'user.': 'x' } },
    },
    { name: 'T30 an attribute without a namespace', item: { path: 'f', xattrs: { plain: 'x' } } },
    {
      name: 'T30 an attribute with a long name',
      item: { path: 'f', xattrs: { [`user.${'n'.repeat(251)}`]: 'x' } },
      code: 'LAYER_LIMIT_EXCEEDED',
    },
    {
      name: 'T30 an attribute with a long value',
      item: { path: 'f', xattrs: { 'user.a': 'x'.repeat(65_537) } },
      code: 'LAYER_LIMIT_EXCEEDED',
    },
    {
      name: 'T30 ten thousand attributes',
      item: { path: 'f', xattrs: manyXattrs },
      code: 'LAYER_LIMIT_EXCEEDED',
    },
    { name: 'T50 a whiteout of nothing', item: { path: 'd/.wh.' } },
    { name: "T51 a whiteout of '.'", item: { path: 'd/.wh..' } },
    { name: "T51 a whiteout of '..'", item: { path: 'd/.wh...' } },
    { name: 'a file below a whiteout', item: { path: '.wh.d/f' } },
    { name: 'a whiteout that is a directory', item: { path: '.wh.d/', type: 'directory' } },
    { name: 'a hard link to a whiteout', item: { path: 'h', type: 'hardlink', link: '.wh.f' } },
    { name: 'a hard link to the root', item: { path: 'h', type: 'hardlink', link: './' } },
    { name: 'a hard link to nothing', item: { path: 'h', type: 'hardlink', link: '' } },
    { name: 'a symbolic link to nothing', item: { path: 'l', type: 'symlink', link: '' } },
    {
      name: 'a symbolic link longer than a path',
      item: { path: 'l', type: 'symlink', link: 'x'.repeat(4096) },
      code: 'LAYER_LIMIT_EXCEEDED',
    },
    {
      name: 'T66 a path of 4,097 bytes',
      item: { path: 'abcdefg/'.repeat(513) },
      code: 'LAYER_LIMIT_EXCEEDED',
    },
    { name: 'T66 256 levels', item: { path: 'd/'.repeat(256) }, code: 'LAYER_LIMIT_EXCEEDED' },
    {
      name: 'T66 256 levels with dots between',
      item: { path: './d/'.repeat(256) },
      code: 'LAYER_LIMIT_EXCEEDED',
    },
    {
      name: 'T66 a component of 256 bytes',
      item: { path: `d/${'n'.repeat(256)}` },
      code: 'LAYER_LIMIT_EXCEEDED',
    },
    { name: "T01 '..' alone", item: { path: '..' }, code: 'LAYER_PATH_ESCAPE' },
    { name: "T01 '..' that stays inside", item: { path: 'a/../b' }, code: 'LAYER_PATH_ESCAPE' },
    { name: "T01 '..' with a slash", item: { path: 'a/../' }, code: 'LAYER_PATH_ESCAPE' },
  ] satisfies { name: string; item: TarItem; code?: ErrorCode }[],
  async ({ item, code }) => {
    await assertFails((code as ErrorCode | undefined) ?? 'LAYER_ENTRY_REFUSED', () =>
      unpack([item]),
    );
  },
);

each(
  'limits of a layer',
  [
    {
      name: 'T65 entries',
      limit: { maxEntries: 2 },
      items: [{ path: 'a/' }, { path: 'b/' }, { path: 'c/' }],
    },
    {
      name: 'T65 bytes of names',
      limit: { maxMetadataBytes: 99 },
      items: [{ path: 'a'.repeat(50) }, { path: 'b'.repeat(50) }],
    },
    {
      name: 'T65 bytes of attributes',
      limit: { maxMetadataBytes: 99 },
      items: [{ path: 'a', xattrs: { 'user.a': 'x'.repeat(100) } }],
    },
    { name: 'bytes of all', limit: { maxBytes: 1535 }, items: [{ path: 'a' }] },
    { name: 'levels', limit: { maxDepth: 2 }, items: [{ path: 'a/b/c' }] },
  ],
  async ({ limit, items }) => {
    await assertFails('LAYER_LIMIT_EXCEEDED', () =>
      unpack(items, { ...DEFAULT_LAYER_LIMITS, ...limit }),
    );
    await unpack(items);
  },
);

test('T66 the longest names that Linux takes are taken', async () => {
  const { root } = await unpack([
    { path: 'n'.repeat(255), content: 'x' },
    { path: 'd/'.repeat(255) },
    { path: 'l', type: 'symlink', link: 't'.repeat(4095) },
  ]);
  assert.deepEqual([...root.entries.keys()].sort(), ['d', 'l', 'n'.repeat(255)]);
});

test("T29 attributes that mean something on the producer's host only are dropped, with a warning each", async () => {
  const dropped = [
    'security.selinux',
    'security.ima',
    'system.nfs4_acl',
    'system.posix_acl_access',
    'trusted.overlay.opaque',
    'user.overlay.redirect',
  ];
  const kept = ['security.capability', 'trusted.mine', 'user.mine'];
  const xattrs = Object.fromEntries([...dropped, ...kept].map((name) => [name, 'v']));
  const { root, warnings } = await unpack([
    { path: 'a', xattrs },
    { path: 'b', xattrs },
  ]);
  assert.deepEqual(
    root.entries.get('a')?.meta.xattrs.map(({ name }) => name),
    kept,
  );
  assert.equal(warnings.length, dropped.length);
  for (const name of dropped)
    assert.ok(
      warnings.some((line) => line.includes(name)),
      name,
    );
});

test('T29 attributes that the kernel takes on files only are not kept on anything else', async () => {
  const xattrs = { 'user.a': 'v', 'security.capability': 'v', 'trusted.a': 'v' };
  const { root } = await unpack([
    { path: 'l', type: 'symlink', link: 'x', xattrs },
    { path: 'd/', xattrs },
  ]);
  const names = (path: string): string[] =>
    root.entries.get(path)?.meta.xattrs.map(({ name }) => name) ?? [];
  assert.deepEqual(names('l'), ['trusted.a']);
  assert.deepEqual(names('d'), ['trusted.a', 'user.a']);
});

test('T45 what a message shows of a name is safe on a terminal', async () => {
  const error = await assertFails('LAYER_PATH_ESCAPE', () =>
    unpack([{ path: '../\x1b[2J\u202eevil\n' }]),
  );
  assert.doesNotMatch(error.message, /[\u0000-\u001f\u202e]/);
});

each(
  'clean paths',
  [
    { path: './', want: [] },
    { path: '/', want: [] },
    { path: '//', want: [] },
    { path: '././/./', want: [] },
    { path: './a', want: ['a'] },
    { path: '///a', want: ['a'] },
    { path: 'a//', want: ['a'] },
    { path: 'a/.', want: ['a'] },
    { path: './/a', want: ['a'] },
    { path: '.a', want: ['.a'] },
    { path: '..a', want: ['..a'] },
    { path: '...', want: ['...'] },
  ].map((row) => ({ ...row, name: `'${row.path}'` })),
  async ({ path, want }) => {
    const { root } = await unpack([{ path, type: 'directory' }]);
    assert.deepEqual([...root.entries.keys()], want);
  },
);
