import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { isLinkedInTree, realPathInTree } from '../../src/containers/read-in-tree.js';
import type { DirectoryNode, NodeMeta, TreeNode } from '../../src/layer/tree.js';
import { assertFails } from '../support/assert-fails.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { each } from '../support/each.js';
import { configTemplate } from '../support/exports-image.js';
import { writeLayout } from '../support/write-layout.js';

// Links of an image are good inside of it. On the host, where its root is one folder of many, they lead to what is the host's.

const link = (path: string, target: string) => ({ path, type: 'symlink', link: target }) as const;
const program = { path: 'probe', content: 'x', mode: 0o755 } as const;

test('T05 the volumes of an image are filled from the image, whatever links it has', async () => {
  using tree = new BerthInTree();
  const reference = writeLayout(tree.layout('web'), {
    layers: [
      [
        program,
        ...[link('l', '/etc'), link('data', '/srv/real'), link('up', '../../../../etc')],
        ...[{ path: 'etc/' }, { path: 'srv/' }, { path: 'srv/real/' }, { path: 'run/' }],
        ...[{ path: 'var/' }, link('var/run', '/run')],
      ],
    ],
    process: {
      Entrypoint: ['/probe'],
      Volumes: { '/l/shadow': {}, '/data': {}, '/up/x': {}, '/var/run/web': {} },
    },
  });
  await tree.runOk('install', '--name', 'web', reference);
  const lines = readFileSync(`${tree.path}/etc/tmpfiles.d/tmpfiles-web.conf`, 'utf8').split('\n');
  assert.deepEqual(
    lines.filter((line) => line.startsWith('C')).map((line) => line.replace(/^C \S+/, '')),
    ['/etc/shadow', '/srv/real', '/etc/x', '/run/web'].map(
      (path) => ` - - - - /var/lib/berth/web/rootfs${path}`,
    ),
  );
});

interface Row {
  readonly name: string;
  readonly tmpfiles?: string;
  /** Source of what its config.json binds. */
  readonly source?: string;
  readonly says: RegExp;
}

each<Row>(
  'P22 an image is refused that would have',
  [
    {
      name: 'a folder of the host by a copied link of its own',
      tmpfiles: 'C /run/web/all - - - - $DESTDIR/rootfs/all\n',
      says: /'\/all' of its image is a link, or has one on its way/,
    },
    {
      name: 'a file of the host copied from behind a link of its own',
      tmpfiles: 'C /run/web/shadow - - - - $DESTDIR/rootfs/l/shadow\n',
      says: /'\/l\/shadow' of its image is a link/,
    },
    {
      name: 'a file of the host written by a link of its own',
      tmpfiles: 'L /run/web/x - - - - $DESTDIR/rootfs/probe\nw /run/web/x - - - - x\n',
      says: /it writes wherever a link there leads/,
    },
    {
      name: 'bound what its tmpfiles make a link of',
      tmpfiles: 'L /run/web/x - - - - /var/lib/web/x\n',
      source: '/run/web/x/y',
      says: /config\.json binds '\/run\/web\/x\/y', and tmpfiles line 1 makes a link to '\/var\/lib\/web\/x'/,
    },
  ],
  async ({ tmpfiles = '', source, says }) => {
    using tree = new BerthInTree();
    const mounts = source === undefined ? [] : [{ destination: '/x', source, options: ['bind'] }];
    const reference = tree.makeImage(
      'web',
      [program, link('all', '/'), link('l', '/etc'), { path: 'x/' }],
      { 'tmpfiles.template': tmpfiles, 'config.json.template': configTemplate({ mounts }) },
    );
    const refused = await tree.run('install', '--plan', reference);
    assert.equal(refused.status, 65, refused.stderr);
    assert.match(refused.stderr, says);
  },
);

test('what a copy brings is bound without its links, what is the image as it stands is brought', async () => {
  using tree = new BerthInTree();
  mkdirSync(`${tree.path}/run/web`, { recursive: true });
  const mounts = [{ destination: '/x', source: '/run/web/copy/x', options: ['bind'] }];
  const reference = tree.makeImage('web', [program, { path: 'x/' }, link('x/x', '/')], {
    'tmpfiles.template':
      'C /run/web/copy - - - - $DESTDIR/rootfs/x\nL /run/web/l - - - - $DESTDIR/rootfs/probe\n',
    'config.json.template': configTemplate({ mounts }),
  });
  await tree.runOk('install', reference);
  const plan = (): string => readFileSync(`${tree.path}/var/lib/berth/web/launch.plan`, 'latin1');
  const BENEATH = /\x33\0{3}.\0{3}.\0{3}\/run\/web\/copy\0/s;
  assert.match(plan(), BENEATH);
  const config = `${tree.path}/var/lib/berth/web/config.json`;
  writeFileSync(config, `${readFileSync(config, 'utf8')}\n`);
  await tree.runOk('apply', 'web');
  assert.match(plan(), BENEATH, 'after an edit');
});

const meta: NodeMeta = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtimeSeconds: 0,
  mtimeNanoseconds: 0,
  xattrs: [],
};
const folder = (entries: Readonly<Record<string, TreeNode>>): DirectoryNode => ({
  kind: 'directory',
  meta,
  entries: new Map(Object.entries(entries)),
});
const to = (target: string): TreeNode => ({ kind: 'symlink', meta, target });

const ROOT = folder({
  etc: folder({ up: to('../var/x'), own: to('here'), here: folder({}) }),
  var: folder({ run: to('/run'), far: to('../../../etc/here') }),
  far: to('no/../../etc'),
  loop: to('/loop'),
  bytes: to('/\xff'),
});

each(
  'realPathInTree() gives where a path leads:',
  [
    { linked: false, name: 'itself', path: '/etc/here', want: '/etc/here' },
    { linked: false, name: 'without needless parts', path: '//etc/./here/', want: '/etc/here' },
    { linked: false, name: 'what is not there', path: '/no/such', want: '/no/such' },
    { linked: true, name: 'through a link to the root', path: '/var/run/web', want: '/run/web' },
    { linked: false, name: 'through a relative one', path: '/etc/own/x', want: '/etc/here/x' },
    { linked: true, name: 'by a relative one itself', path: '/etc/own', want: '/etc/here' },
    { linked: false, name: 'up', path: '/etc/up/y', want: '/var/x/y' },
    { linked: true, name: 'up through what is not there', path: '/far/y', want: '/etc/y' },
    { linked: true, name: 'up further than there is', path: '/var/far', want: '/etc/here' },
    { linked: true, name: 'to a name that is no text', path: '/bytes', want: undefined },
  ],
  ({ path, want, linked }) => {
    assert.equal(realPathInTree(ROOT, path), want);
    assert.equal(isLinkedInTree(ROOT, path), linked);
  },
);

test('links in circles lead nowhere', async () => {
  await assertFails('IMAGE_CONFIG_INVALID', () =>
    Promise.resolve().then(() => realPathInTree(ROOT, '/loop/x')),
  );
});
