import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import type { DirectoryNode, FileNode, NodeMeta, TreeNode } from '../../../src/layer/tree.js';
import { compareTrees } from '../../../src/store/compare-trees.js';
import {
  encodeComposefsImage,
  findOtherContents,
  type SealedContent,
} from '../../../src/store/composefs/composefs-image.js';
import { openDirectoryTree } from '../../../src/store/directory-tree.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { runOk } from '../../support/run-command.js';
import { TempDir } from '../../support/temp-dir.js';

/*
 * The images are mounted by the kernel, as far as this one goes: without fs-verity, so that digests of content are looked at on a whole
 * machine (integration/machine-install.test.ts).
 */

const META: NodeMeta = {
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtimeSeconds: 1_700_000_000,
  mtimeNanoseconds: 123_456_789,
  xattrs: [],
};

function file(content: string, meta: Partial<NodeMeta> = {}): FileNode & { readonly text: string } {
  const contentSha256 = createHash('sha256').update(content, 'latin1').digest('hex');
  const size = Buffer.byteLength(content, 'latin1');
  return { kind: 'file', meta: { ...META, ...meta }, size, contentSha256, text: content };
}

function directory(
  entries: Readonly<Record<string, TreeNode>>,
  meta: Partial<NodeMeta> = {},
): DirectoryNode {
  return {
    kind: 'directory',
    meta: { ...META, mode: 0o755, ...meta },
    entries: new Map(Object.entries(entries)),
  };
}

function link(target: string): TreeNode {
  return { kind: 'symlink', meta: { ...META, mode: 0o777 }, target };
}

function contentOf(node: FileNode): SealedContent {
  const { contentSha256 } = node;
  return { path: contentSha256, digest: Buffer.alloc(32, 7) };
}

/** Mounts the image of a tree over its contents, and gives what is seen there to `look`. */
async function mounted(root: DirectoryNode, look: (path: string) => Promise<void>): Promise<void> {
  using dir = new TempDir();
  for (const name of ['image', 'objects', 'root']) mkdirSync(`${dir.path}/${name}`);
  const visit = (node: TreeNode): void => {
    if (node.kind === 'directory') for (const child of node.entries.values()) visit(child);
    else if (node.kind === 'file' && 'text' in node)
      writeFileSync(`${dir.path}/objects/${node.contentSha256}`, String(node.text), 'latin1');
  };
  visit(root);
  writeFileSync(`${dir.path}/erofs`, encodeComposefsImage(root, contentOf));
  await runOk(['mount', '-t', 'erofs', '-o', 'ro', `${dir.path}/erofs`, `${dir.path}/image`]);
  try {
    const layers = `lowerdir=${dir.path}/image::${dir.path}/objects,metacopy=on,redirect_dir=on`;
    await runOk(['mount', '-t', 'overlay', 'overlay', '-o', layers, `${dir.path}/root`]);
    try {
      await look(`${dir.path}/root`);
    } finally {
      await runOk(['umount', `${dir.path}/root`]);
    }
  } finally {
    await runOk(['umount', `${dir.path}/image`]);
  }
}

const twice = file('twice');
const many = (count: number, length: number): Record<string, TreeNode> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => {
      const name = `${index}`.padEnd(length, 'n');
      return [
        name,
        index % 7 === 0 ? directory({ inner: file(name) }) : file(`content of ${name}`),
      ];
    }),
  );

each(
  'the kernel sees in the image',
  [
    { name: 'nothing', root: directory({}) },
    {
      name: 'owners, modes and times',
      root: directory(
        {
          setuid: file('#!', { mode: 0o4755, uid: 1000, gid: 4_294_967_294 }),
          old: file('old', { mtimeSeconds: -1, mtimeNanoseconds: 0 }),
          late: file('late', { mtimeSeconds: 4_294_967_296, mtimeNanoseconds: 999_999_999 }),
          sticky: directory({}, { mode: 0o1777, uid: 70_000 }),
        },
        { mode: 0o750, uid: 5, gid: 6 },
      ),
    },
    {
      name: 'names of one file, and empty ones',
      root: directory({ one: twice, two: twice, deep: directory({ three: twice, no: file('') }) }),
    },
    {
      name: 'names of all bytes, before and after the dots',
      root: directory({ '-': file('-'), '!': file('!'), '\xff\xfe': file('b'), '...': file('d') }),
    },
    {
      name: 'links of all lengths',
      root: directory(
        Object.fromEntries(
          [1, 59, 60, 2000, 3000, 4000, 4032, 4095].map((bytes) => [
            `${bytes}`,
            link('t'.repeat(bytes)),
          ]),
        ),
      ),
    },
    {
      name: 'devices, pipes and attributes',
      root: directory(
        {
          null: { kind: 'character-device', meta: META, major: 1, minor: 3 },
          disk: { kind: 'block-device', meta: META, major: 259, minor: 70_000 },
          pipe: { kind: 'fifo', meta: META, major: 0, minor: 0 },
          able: file('able', {
            xattrs: [
              {
                name: 'security.capability',
                value: Buffer.from('AQAAAgAEAAAAAAAAAAAAAAAAAAA=', 'base64'),
              },
              { name: 'trusted.more', value: Buffer.from([0, 255]) },
              { name: 'user.empty', value: Buffer.alloc(0) },
              { name: 'user.long', value: Buffer.alloc(5000, 'x') },
            ],
          }),
        },
        { xattrs: [{ name: 'user.root', value: Buffer.from('root') }] },
      ),
    },
    { name: 'a folder of 3,000 names', root: directory(many(3000, 12)) },
    {
      name: 'folders of every size',
      root: directory(
        Object.fromEntries(
          Array.from({ length: 140 }, (_, index) => [`${index}`, directory(many(index, 30))]),
        ),
      ),
    },
    {
      name: 'a name of 255 bytes 14 levels down',
      root: Array.from({ length: 14 }).reduce<DirectoryNode>(
        (inner) => directory({ ['d'.repeat(255)]: inner }),
        directory({ x: file('x') }),
      ),
    },
  ],
  async ({ root }) => {
    await mounted(root, async (path) => {
      using seen = openDirectoryTree(path);
      const { files } = await compareTrees(root, seen.root, { times: true });
      assert.deepEqual(files, []);
    });
  },
);

each(
  'refused, for an image would not say the same',
  [
    {
      name: 'the device that hides what is below it',
      node: { kind: 'character-device', meta: META, major: 0, minor: 0 } as const,
    },
    {
      name: 'an attribute of a kind that EROFS does not know',
      node: file('x', { xattrs: [{ name: 'other.kind', value: Buffer.alloc(1) }] }),
    },
    {
      name: 'attributes of 300 kB',
      node: file('x', {
        xattrs: Array.from({ length: 5 }, (_, index) => ({
          name: `user.${index}`,
          value: Buffer.alloc(60_000),
        })),
      }),
    },
  ],
  async ({ node }) => {
    await assertFails('STORE_UNSUITABLE', () =>
      encodeComposefsImage(directory({ node }), contentOf),
    );
  },
);

test('one tree is one image, and whatever differs is another', () => {
  const base = { a: file('a'), b: file('b') };
  const image = encodeComposefsImage(directory(base), contentOf);
  const turned = directory({ b: base.b, a: file('a') });
  assert.ok(encodeComposefsImage(turned, contentOf).equals(image), 'whatever stands first');
  assert.ok(encodeComposefsImage(directory({ ...base }), contentOf).equals(image));
  const others: readonly DirectoryNode[] = [
    directory({ a: base.a, c: base.b }),
    directory({ ...base, b: file('b', { mode: 0o600 }) }),
    directory({ ...base, b: file('b', { uid: 1 }) }),
    directory({ ...base, b: file('b', { mtimeSeconds: 1 }) }),
    directory({ ...base, b: file('c') }),
    directory(base, { mode: 0o700 }),
  ];
  for (const other of others) assert.ok(!encodeComposefsImage(other, contentOf).equals(image));
  const digests = encodeComposefsImage(directory(base), (node) => ({
    ...contentOf(node),
    digest: Buffer.alloc(32, 8),
  }));
  assert.ok(!digests.equals(image));
});

test('the files are named of which an image says another content', () => {
  const root = directory({
    a: file('one'),
    empty: file(''),
    sub: directory({ b: file('two'), c: file('three'), 'd e': file('two') }),
    to: link('a'),
  });
  const measured = (changed: readonly string[]) => (node: FileNode) => ({
    path: node.contentSha256,
    digest: Buffer.alloc(32, changed.includes(String(node.size)) ? 1 : 7),
  });
  const image = encodeComposefsImage(root, contentOf);
  assert.deepEqual(findOtherContents(root, measured([]), image), []);
  assert.deepEqual(findOtherContents(root, measured(['5']), image), ['sub/c']);
  assert.deepEqual(findOtherContents(root, measured(['3']), image), ['a', 'sub/b', 'sub/d e']);
});
