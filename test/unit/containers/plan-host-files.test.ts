import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import type { DirectoryNode } from '../../../src/layer/tree.js';
import { planHostFiles, type HostFilesRequest } from '../../../src/containers/plan-host-files.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { pathsInFolder } from '../../support/host-tree-paths.js';
import { imageTree, type TreeSketch } from '../../support/image-tree.js';
import { TempDir } from '../../support/temp-dir.js';

function request(
  root: string,
  hostfs: TreeSketch,
  more: Partial<HostFilesRequest> = {},
): HostFilesRequest {
  const tree = imageTree({ hostfs });
  return {
    paths: pathsInFolder(root),
    hostfs: tree.root.entries.get('hostfs') as DirectoryNode,
    renames: new Map(),
    templates: new Set(),
    renderTemplate: (_path, text) => text.replaceAll('$NAME', 'etcd'),
    readFile: (node, maxBytes) => tree.readFile(node, { maxBytes }),
    policy: { allowed: [] },
    onConflict: 'refuse',
    ownerOf: () => undefined,
    own: new Set(),
    foreign: new Set(),
    ...more,
  };
}

test('planHostFiles() gives files, and the folders that are missing above them', async () => {
  using dir = new TempDir();
  const { files } = await planHostFiles(
    request(dir.path, {
      etc: { etcd: { 'etcd.conf': 'x' } },
      usr: { local: { bin: { etcdctl: 'y' } } },
    }),
  );
  assert.deepEqual(
    files.map(({ deployed }) => [deployed.kind, deployed.path, deployed.source]),
    [
      ['directory', '/etc/etcd', ''],
      ['file', '/etc/etcd/etcd.conf', 'rootfs/exports/hostfs/etc/etcd/etcd.conf'],
      ['file', '/usr/local/bin/etcdctl', 'rootfs/exports/hostfs/usr/local/bin/etcdctl'],
    ],
  );
});

test('planHostFiles() renames and renders', async () => {
  using dir = new TempDir();
  const { files } = await planHostFiles(
    request(
      dir.path,
      { etc: { etcd: { 'etcd.conf': 'name=$NAME' } } },
      {
        renames: new Map([['/etc/etcd/etcd.conf', '/etc/one/etcd.conf']]),
        templates: new Set(['/etc/one/etcd.conf']),
      },
    ),
  );
  const rendered = files.find(({ deployed }) => deployed.path === '/etc/one/etcd.conf');
  assert.equal(rendered?.text, 'name=etcd');
  assert.equal(rendered.deployed.source, 'host/etc/one/etcd.conf');
});

test('planHostFiles() strips H10 set-id bits and writing by everybody', async () => {
  using dir = new TempDir();
  const base = imageTree({ x: 'x' }).root.entries.get('x');
  assert.ok(base !== undefined);
  const node = { ...base, meta: { ...base.meta, mode: 0o6777 } };
  const { files } = await planHostFiles(request(dir.path, { etc: { etcd: { x: { node } } } }));
  assert.equal(
    files.at(-1)?.deployed.mode,
    0o775,
    'a set-id program from an image would stand on the host',
  );
});

each(
  'planHostFiles() refuses',
  [
    {
      name: 'H02 a unit',
      hostfs: { etc: { systemd: { system: { 'sshd.service': 'x' } } } },
      code: 'HOST_PATH_REFUSED' as const,
    },
    {
      name: 'H02 sudoers',
      hostfs: { etc: { 'sudoers.d': { x: 'x' } } },
      code: 'HOST_PATH_REFUSED' as const,
    },
    {
      name: 'H03 a link to a guarded file',
      hostfs: { etc: { etcd: { x: { link: '/etc/shadow' } } } },
      code: 'HOST_PATH_REFUSED' as const,
    },
    {
      name: 'H03 a link up and out',
      hostfs: { etc: { etcd: { x: { link: '../../root/.ssh' } } } },
      code: 'HOST_PATH_REFUSED' as const,
    },
    {
      name: 'a FIFO',
      hostfs: {
        etc: {
          etcd: {
            x: {
              node: {
                kind: 'fifo' as const,
                major: 0,
                minor: 0,
                meta: {
                  mode: 0o644,
                  uid: 0,
                  gid: 0,
                  mtimeSeconds: 0,
                  mtimeNanoseconds: 0,
                  xattrs: [],
                },
              },
            },
          },
        },
      },
      code: 'EXPORTS_INVALID' as const,
    },
    {
      name: 'a name that is not UTF-8',
      hostfs: { etc: { etcd: { '\xff': 'x' } } },
      code: 'EXPORTS_INVALID' as const,
    },
    {
      name: 'a newline in a name',
      hostfs: { etc: { etcd: { 'a\nb': 'x' } } },
      code: 'EXPORTS_INVALID' as const,
    },
  ],
  async ({ hostfs, code }) => {
    using dir = new TempDir();
    await assertFails(code, () => planHostFiles(request(dir.path, hostfs)));
  },
);

test('planHostFiles() refuses H08 two sources of one target', async () => {
  using dir = new TempDir();
  const renames = new Map([['/etc/etcd/a', '/etc/etcd/b']]);
  await assertFails('EXPORTS_INVALID', () =>
    planHostFiles(request(dir.path, { etc: { etcd: { a: '1', b: '2' } } }, { renames })),
  );
});

test('planHostFiles() refuses H08 a file that becomes the folder of another', async () => {
  using dir = new TempDir();
  const renames = new Map([['/etc/etcd/a', '/etc/etcd/d']]);
  await assertFails('EXPORTS_INVALID', () =>
    planHostFiles(request(dir.path, { etc: { etcd: { a: '1', d: { b: '2' } } } }, { renames })),
  );
});

test('planHostFiles() refuses H01 a different file of the host, or keeps it if told so', async () => {
  using dir = new TempDir();
  const hostfs = { etc: { etcd: { 'etcd.conf': 'of the image' } } };
  const plain = request(dir.path, hostfs);
  mkdirSync(`${dir.path}/etc/etcd`);
  writeFileSync(`${dir.path}/etc/etcd/etcd.conf`, 'of the administrator');
  await assertFails('HOST_FILE_EXISTS', () => planHostFiles(plain));
  const { files, warnings } = await planHostFiles(
    request(dir.path, hostfs, { onConflict: 'keep' }),
  );
  assert.deepEqual(files, [], "the administrator's file would be overwritten");
  assert.equal(warnings.length, 1);
});

test('planHostFiles() leaves the same file of the host to the host, and shares that of a container (H15)', async () => {
  using dir = new TempDir();
  const hostfs = { etc: { etcd: { 'etcd.conf': 'same' } } };
  mkdirSync(`${dir.path}/etc/etcd`, { recursive: true });
  writeFileSync(`${dir.path}/etc/etcd/etcd.conf`, 'same');
  const alone = await planHostFiles(request(dir.path, hostfs));
  assert.deepEqual(alone.files, []);
  const ownerOf = (path: string): string | undefined =>
    path.startsWith('/etc/etcd') ? 'other' : undefined;
  const shared = await planHostFiles(request(dir.path, hostfs, { ownerOf }));
  // The folder that came with the other, too: the last of the two takes it away.
  assert.deepEqual(
    shared.files.map(({ deployed }) => deployed.path),
    ['/etc/etcd', '/etc/etcd/etcd.conf'],
  );
});

test('planHostFiles() refuses a parent that is a link to nowhere', async () => {
  using dir = new TempDir();
  const asked = request(dir.path, { etc: { etcd: { x: 'x' } } });
  symlinkSync('/nowhere', `${dir.path}/etc/etcd`);
  await assertFails('HOST_PATH_REFUSED', () => planHostFiles(asked));
});

test('planHostFiles() only shows a conflict where a plan is asked for', async () => {
  using dir = new TempDir();
  const hostfs = { etc: { etcd: { 'etcd.conf': 'of the image' } } };
  const asked = request(dir.path, hostfs, { onConflict: 'show' });
  mkdirSync(`${dir.path}/etc/etcd`);
  writeFileSync(`${dir.path}/etc/etcd/etcd.conf`, 'of the administrator');
  const { files, warnings } = await planHostFiles(asked);
  assert.equal(files[0]?.shownText, 'of the image');
  assert.match(warnings[0] ?? '', /would be refused/);
});
