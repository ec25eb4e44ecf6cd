import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';

import { parseDigest } from '../../src/oci/digest.js';
import { openOstreeStore } from '../../src/store/ostree/ostree-store.js';
import { each } from '../support/each.js';
import { feedLayer } from '../support/feed-layer.js';
import { treeLines } from '../support/list-tree.js';
import { runCommand, runOk } from '../support/run-command.js';
import { storedImageOf } from '../support/stored-image.js';
import { buildLayer } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';

const LAYER = buildLayer(
  [
    { path: 'bin/', mode: 0o755 },
    { path: 'bin/tool', content: 'the tool', mode: 0o755 },
    { path: 'link', type: 'symlink', link: 'bin/tool' },
  ],
  { compression: 'none' },
);

interface Places {
  readonly tool: string;
  readonly link: string;
  readonly tree: string;
  readonly record: string;
  readonly config: string;
}

const flip = (path: string): void => {
  const bytes = readFileSync(path);
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  writeFileSync(path, bytes);
};

each(
  'F44 fsck finds in a repository, and taking it in again repairs:',
  [
    {
      name: 'one bit of a file',
      damage: ({ tool }: Places) => {
        flip(tool);
      },
      kind: 'object',
    },
    {
      name: 'a mode',
      damage: ({ tool }: Places) => {
        chmodSync(tool, 0o777);
      },
      kind: 'object',
    },
    {
      name: 'a file that is missing',
      damage: ({ tool }: Places) => {
        rmSync(tool);
      },
      kind: 'layer',
    },
    {
      name: 'the target of a link',
      damage: ({ link }: Places) => {
        rmSync(link);
        symlinkSync('/etc/shadow', link);
      },
      kind: 'object',
    },
    {
      name: 'one bit of a tree',
      damage: ({ tree }: Places) => {
        flip(tree);
      },
      kind: 'layer',
    },
    {
      name: 'a tree that is missing',
      damage: ({ tree }: Places) => {
        rmSync(tree);
      },
      kind: 'layer',
    },
    {
      name: 'one bit of a record',
      damage: ({ record }: Places) => {
        flip(record);
      },
      kind: 'layer',
    },
    {
      name: 'a configuration',
      damage: ({ config }: Places) => {
        flip(config);
      },
      kind: 'image',
    },
  ],
  async ({ damage, kind }) => {
    using dir = new TempDir();
    const repository = `${dir.path}/repo`;
    const diffId = parseDigest(LAYER.diffId);
    const image = storedImageOf([diffId], ['example.com/x:1']);
    const take = async (replace?: ReadonlySet<string>): Promise<void> => {
      await using store = openOstreeStore(repository);
      const options = replace === undefined ? {} : { replace };
      await using transaction = await store.beginLayer(diffId, options);
      await feedLayer(transaction.sink, LAYER);
      await transaction.commit();
      await store.addImage(image);
    };
    await take();
    damage(await placesIn(repository, image.manifest.config.digest));
    const fsck = ['ostree', 'fsck', `--repo=${repository}`, '--quiet'];
    assert.notEqual((await runCommand(fsck)).status, 0, 'the control: it is damaged');
    {
      await using store = openOstreeStore(repository);
      const { problems } = await store.fsck();
      const found: string[] = problems.map((problem) => problem.kind);
      assert.ok(found.includes(kind), `found ${JSON.stringify(problems)}`);
      await take(new Set(problems.flatMap((one) => (one.kind === 'object' ? [one.id] : []))));
    }
    await using store = openOstreeStore(repository);
    assert.deepEqual((await store.fsck()).problems, []);
    const [stored] = await store.listImages();
    assert.ok(stored !== undefined);
    mkdirSync(`${dir.path}/out`);
    await store.checkout(await store.openTree(stored), `${dir.path}/out`);
    assert.deepEqual(treeLines(`${dir.path}/out`), [
      'bin directory',
      'bin/tool = the tool',
      'link -> bin/tool',
    ]);
    await store.prune({ keep: new Set() });
    await runOk(fsck);
  },
);

/** Where the objects are, by what the ostree command says. */
async function placesIn(repository: string, config: string): Promise<Places> {
  const list = async (ref: string, path: string): Promise<string> => {
    const args = ['ostree', `--repo=${repository}`, 'ls', '-C', '-d', ref, path];
    return (await runOk(args)).trim();
  };
  const place = (checksum: string, type: string): string =>
    `${repository}/objects/${checksum.slice(0, 2)}/${checksum.slice(2)}.${type}`;
  const layer = `ociimage/${LAYER.diffId.slice('sha256:'.length)}`;
  const checksumIn = (line: string): string => /[0-9a-f]{64}/.exec(line)?.[0] ?? assert.fail(line);
  return {
    tool: place(checksumIn(await list(layer, '/bin/tool')), 'file'),
    link: place(checksumIn(await list(layer, '/link')), 'file'),
    tree: place(checksumIn(await list(layer, '/bin')), 'dirtree'),
    record: place(checksumIn(await list(layer, '/.wh..wh.berth-layer')), 'file'),
    config: place(
      checksumIn(await list(`ociimage/${config.slice('sha256:'.length)}`, '/content')),
      'file',
    ),
  };
}
