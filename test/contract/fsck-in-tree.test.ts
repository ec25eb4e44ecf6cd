import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';
import { each } from '../support/each.js';
import { listTree } from '../support/list-tree.js';
import type { TarItem } from '../support/tar-builder.js';
import { compareSnapshots, snapshotTree } from '../support/tree-snapshot.js';

// What is damaged is found, fetched again and put in its place, in the store and in the checkouts; nothing else is touched.

const FILES: readonly TarItem[] = [
  { path: 'probe', content: 'program', mode: 0o4755, uid: 3 },
  { path: 'etc/' },
  { path: 'etc/passwd', content: 'root:x:0:0::/:/bin/sh\n', mtime: '77.000000123' },
  { path: 'etc/same', type: 'hardlink', link: 'etc/passwd' },
  { path: 'etc/link', type: 'symlink', link: 'passwd' },
  { path: 'etc/empty', content: '' },
  { path: 'large', content: Buffer.alloc(300_000, 'large ') },
];

interface Repair {
  readonly found: { readonly problems: unknown[]; readonly checkouts: unknown[] };
  readonly left: { readonly problems: unknown[]; readonly checkouts: unknown[] };
  readonly fetched: readonly string[];
  readonly mended: readonly string[];
  readonly reasons: readonly string[];
}

interface RepairPlan {
  readonly documents: readonly unknown[];
  readonly layers: readonly { readonly diffId: string; readonly from: readonly string[] }[];
}

class Damaged extends BerthInTree {
  readonly store = `${this.path}/var/lib/berth/.store`;
  readonly root = `${this.path}/var/lib/berth/web.0/rootfs`;
  image = '';

  async install(): Promise<void> {
    this.image = this.makeImage('web', FILES);
    await this.runOk('install', '--name', 'web', this.image);
    await this.runOk('install', '--name', 'other', this.image);
  }

  async repair(): Promise<{ status: number; result: Repair }> {
    const { status, stdout, stderr } = await this.run('--json', 'fsck', '--repair');
    assert.ok(stdout !== '', stderr);
    return { status, result: JSON.parse(stdout) as Repair };
  }

  /** Of everything that is installed, as a person would compare it. */
  trees(): unknown {
    return ['web.0', 'other.0'].map((name) =>
      [...listTree(`${this.path}/var/lib/berth/${name}/rootfs`)].map(([path, entry]) => [
        path,
        entry.type,
        entry.mode,
        entry.uid,
        String(entry.mtimeNs),
        entry.content,
      ]),
    );
  }

  object(content: string): string {
    for (const folder of readdirSync(`${this.store}/objects`)) {
      for (const name of readdirSync(`${this.store}/objects/${folder}`)) {
        const path = `${this.store}/objects/${folder}/${name}`;
        if (readFileSync(path, 'latin1').startsWith(content)) return path;
      }
    }
    return assert.fail(`no object with ${content}`);
  }
}

/** Changes content and nothing that stat shows. */
function flip(path: string, at: number, bit = 0): void {
  const { mtime, atime } = lstatSync(path);
  const content = readFileSync(path);
  content[at] = (content[at] ?? 0) ^ (1 << bit);
  writeFileSync(path, content, { flag: 'r+' });
  utimesSync(path, atime, mtime);
}

function onlyFile(folder: string): string {
  const names = readdirSync(folder);
  assert.equal(names.length, 1);
  return `${folder}/${names[0] ?? ''}`;
}

each(
  'F44 berth fsck --repair mends',
  [
    {
      name: 'a file that was changed in place, in the store and in both checkouts',
      damage: (tree: Damaged) => {
        appendFileSync(`${tree.root}/etc/passwd`, 'evil\n');
      },
      fetches: 1,
    },
    {
      name: 'a mode',
      damage: (tree: Damaged) => {
        chmodSync(`${tree.root}/probe`, 0o777);
      },
      fetches: 1,
    },
    {
      name: 'an object that is missing',
      damage: (tree: Damaged) => {
        rmSync(tree.object('root:x'));
      },
      fetches: 1,
    },
    {
      name: 'a folder in the place of an object',
      damage: (tree: Damaged) => {
        const path = tree.object('program');
        rmSync(path);
        mkdirSync(`${path}/x`, { recursive: true });
      },
      fetches: 1,
    },
    {
      name: 'files that a checkout alone lost, and fetches nothing',
      damage: (tree: Damaged) => {
        rmSync(`${tree.root}/etc`, { recursive: true });
        rmSync(`${tree.root}/large`);
      },
      fetches: 0,
    },
    {
      name: 'a link, an empty file and a folder that were changed',
      damage: (tree: Damaged) => {
        rmSync(`${tree.root}/etc/link`);
        mkdirSync(`${tree.root}/etc/link/x`, { recursive: true });
        writeFileSync(`${tree.root}/etc/empty`, 'full');
        chmodSync(`${tree.root}/etc`, 0o700);
      },
      fetches: 0,
    },
    {
      name: 'a layer record',
      damage: (tree: Damaged) => {
        for (const name of readdirSync(`${tree.store}/layers`))
          writeFileSync(`${tree.store}/layers/${name}`, '');
      },
      fetches: 2,
    },
    {
      name: 'an image record',
      damage: (tree: Damaged) => {
        flip(onlyFile(`${tree.store}/images`), 400);
      },
      fetches: 0,
    },
    {
      name: 'an image record that is missing, and a layer with it',
      damage: (tree: Damaged) => {
        rmSync(onlyFile(`${tree.store}/images`));
        rmSync(`${tree.store}/layers/${readdirSync(`${tree.store}/layers`)[0] ?? ''}`);
      },
      fetches: 1,
    },
    {
      name: 'the record of a name',
      damage: (tree: Damaged) => {
        writeFileSync(onlyFile(`${tree.store}/names`), 'x');
      },
      fetches: 0,
    },
    {
      name: 'a file that is none of the store',
      damage: (tree: Damaged) => {
        writeFileSync(`${tree.store}/objects/00/README`, 'hello');
      },
      fetches: 0,
    },
    {
      name: 'everything at once',
      damage: (tree: Damaged) => {
        for (const content of ['program', 'root:x', 'large']) flip(tree.object(content), 1);
        for (const folder of ['layers', 'images', 'names']) {
          for (const name of readdirSync(`${tree.store}/${folder}`))
            writeFileSync(`${tree.store}/${folder}/${name}`, '{}');
        }
        rmSync(`${tree.root}/etc`, { recursive: true });
      },
      fetches: 2,
    },
  ],
  async ({ damage, fetches }) => {
    using tree = new Damaged();
    await tree.install();
    const before = tree.trees();
    damage(tree);
    const check = await tree.run('fsck');
    assert.equal(check.status, 1, check.stdout);
    const stored = await snapshotTree(tree.path);
    const planned = await tree.run('fsck', '--repair', '--plan', '--json');
    assert.equal(planned.status, 1, planned.stderr);
    assert.deepEqual(compareSnapshots(stored, await snapshotTree(tree.path)), []);
    const plan = JSON.parse(planned.stdout) as RepairPlan;
    const { status, result } = await tree.repair();
    assert.equal(status, 0, JSON.stringify(result, null, 1));
    // What an image needs whose documents are damaged is known when they are there again.
    if (plan.documents.length === 0) {
      assert.deepEqual(plan.layers.map(({ diffId }) => diffId).sort(), [...result.fetched].sort());
      for (const { from } of plan.layers) assert.ok(from.includes(tree.image), from.join(' '));
    }
    assert.equal(result.fetched.length, fetches, 'fetches what is damaged and no more');
    assert.deepEqual(tree.trees(), before);
    assert.match(await tree.runOk('fsck'), /all sound/);
    assert.match(await tree.runOk('verify'), /^other\.0: as installed\nweb\.0: as installed\n$/);
    assert.ok((await tree.runOk('images', 'list')).includes(tree.image), 'it has its name');
    // Linked again, not copied: the space is spent once.
    const inodes = ['web.0', 'other.0'].map(
      (name) => statSync(`${tree.path}/var/lib/berth/${name}/rootfs/large`).ino,
    );
    assert.equal(inodes[0], inodes[1]);
  },
);

test('berth fsck --repair --plan says what is fetched and mended, and from where', async () => {
  using tree = new Damaged();
  await tree.install();
  assert.match(await tree.runOk('fsck', '--repair', '--plan'), /all sound/);
  appendFileSync(`${tree.root}/etc/passwd`, 'evil\n');
  const { status, stdout } = await tree.run('fsck', '--repair', '--plan');
  assert.equal(status, 1);
  assert.match(stdout, /Layers to fetch again\n {2}sha256:\w{64}, [\d.]+ k?B from oci:/);
  assert.match(stdout, /Deployments whose files are put right\n {2}other\.0\n {2}web\.0\n/);
  assert.match(stdout, /Nothing was changed/);
  const alone = await tree.run('fsck', '--plan');
  assert.equal(alone.status, 64);
  assert.match(alone.stderr, /'--plan' is of '--repair'/);
});

test('berth fsck --repair leaves alone what no image has, and names it', async () => {
  using tree = new Damaged();
  await tree.install();
  writeFileSync(`${tree.root}/etc/mine`, 'of an administrator');
  const { status, result } = await tree.repair();
  assert.equal(status, 1);
  assert.match(JSON.stringify(result.left.checkouts), /\/etc\/mine \(added\)/);
  const said = (await tree.run('fsck', '--repair')).stdout;
  assert.match(said, /^1 problem left:\n! web\.0: \/etc\/mine \(added\)\nhint: .* to remove$/m);
  assert.equal(readFileSync(`${tree.root}/etc/mine`, 'utf8'), 'of an administrator');
});

test('berth fsck --repair makes nothing worse where the source is gone', async () => {
  using tree = new Damaged();
  await tree.install();
  renameSync(tree.layout('web'), `${tree.layout('web')}-away`);
  flip(tree.object('large'), 7);
  const objects = readdirSync(`${tree.store}/layers`);
  const { status, result } = await tree.repair();
  assert.equal(status, 1);
  assert.ok(
    result.reasons.some((reason) => reason.includes('web')),
    JSON.stringify(result.reasons),
  );
  assert.deepEqual(readdirSync(`${tree.store}/layers`), objects, 'nothing was removed');
  assert.ok(existsSync(`${tree.root}/large`), 'a damaged file is better than none');
  renameSync(`${tree.layout('web')}-away`, tree.layout('web'));
  assert.equal((await tree.repair()).status, 0);
});

test('berth fsck --repair takes an object that the source damaged, too, for damaged', async () => {
  using tree = new Damaged();
  await tree.install();
  flip(tree.object('large'), 7);
  const blobs = `${tree.layout('web')}/blobs/sha256`;
  const sizes = readdirSync(blobs).map((name) => ({
    name,
    size: statSync(`${blobs}/${name}`).size,
  }));
  const [layer] = sizes.sort((one, other) => other.size - one.size);
  flip(`${blobs}/${layer?.name ?? ''}`, Math.floor((layer?.size ?? 0) / 2));
  const { status, result } = await tree.repair();
  assert.equal(status, 1, JSON.stringify(result, null, 1));
  assert.deepEqual(result.fetched, []);
  assert.equal(result.left.problems.length, 1);
});

test('a file that a process has open stays what it was for it', async () => {
  using tree = new Damaged();
  await tree.install();
  // Another name keeps the damaged inode as an open file would.
  appendFileSync(`${tree.root}/etc/passwd`, 'evil\n');
  linkSync(`${tree.root}/etc/passwd`, `${tree.path}/held`);
  assert.equal((await tree.repair()).status, 0);
  assert.match(readFileSync(`${tree.path}/held`, 'utf8'), /evil/);
  assert.doesNotMatch(readFileSync(`${tree.root}/etc/passwd`, 'utf8'), /evil/);
});

test('what a killed mending left is taken away', async () => {
  using tree = new Damaged();
  await tree.install();
  const before = tree.trees();
  writeFileSync(`${tree.root}/etc/.berth-mend-0123456789ab`, 'half');
  assert.equal((await tree.repair()).status, 0);
  assert.deepEqual(tree.trees(), before);
});
