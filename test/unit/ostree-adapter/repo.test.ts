import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import {
  beginTransaction,
  checkout,
  createFileHash,
  createMutableTree,
  createRepo,
  encodeFileHeader,
  fsckObject,
  hasObject,
  listObjects,
  listRefs,
  openFile,
  openRepo,
  OstreeError,
  OstreeInputError,
  parseChecksum,
  prune,
  readCommit,
  readDetachedMetadata,
  readDirectoryMetadata,
  readTree,
  resolveRef,
  setRef,
  variantBytes,
  variantString,
  variantStrings,
  variantUint64,
  writeDetachedMetadata,
  type Checksum,
  type FileHeader,
  type Repo,
  type RepoMode,
  type Variant,
} from '../../../ostree-adapter/index.js';
import { each } from '../../support/each.js';
import { runOk } from '../../support/run-command.js';
import { TempDir } from '../../support/temp-dir.js';

const modes = (['bare', 'archive', 'bare-user', 'bare-user-only'] as const).map((mode) => ({
  name: mode,
  mode,
}));

const metadata = new Map<string, Variant>([
  ['docker.manifest', variantString('{"a":"ü"}')],
  ['docker.size', variantUint64(2n ** 63n + 1n)],
  ['names', variantStrings(['a', ''])],
  ['digest', variantBytes(Buffer.from([0, 1, 255]))],
]);

/** Only root can give files away. */
const isRoot = process.getuid?.() === 0;
const ownUid = isRoot ? 12 : (process.getuid?.() ?? 0);
const ownGid = isRoot ? 34 : (process.getgid?.() ?? 0);

const largeChunks = [Buffer.alloc(300_000, 'a'), Buffer.alloc(70_001, 'b')];

/** `bare-user-only` repositories take nothing else. */
function owner(mode: RepoMode): Pick<FileHeader, 'uid' | 'gid' | 'xattrs'> {
  return mode === 'bare-user-only'
    ? { uid: 0, gid: 0, xattrs: [] }
    : {
        uid: ownUid,
        gid: ownGid,
        xattrs: [['user.z', Buffer.of(0, 9)] as const, ['user.a', Buffer.from('v')] as const],
      };
}

function there(checksum: Checksum | undefined): Checksum {
  assert.ok(checksum !== undefined);
  return checksum;
}

async function commitSample(repo: Repo, ref: string): Promise<Checksum> {
  const owned = owner(repo.mode);
  const large: FileHeader = { kind: 'file', mode: 0o644, ...owned };
  await using transaction = await beginTransaction(repo);
  const hash = createFileHash(large);
  for (const chunk of largeChunks) hash.update(chunk);
  const largeChecksum = parseChecksum(hash.digest('hex'));
  await transaction.writeHashedFile({
    header: large,
    checksum: largeChecksum,
    chunks: largeChunks,
  });
  const directory = transaction.writeDirectoryMetadata({
    mode: 0o750,
    uid: isRoot ? 0 : owned.uid,
    gid: isRoot ? 0 : owned.gid,
    xattrs: [],
  });
  using tree = createMutableTree();
  tree.setMetadata(directory);
  tree.replaceFile(
    'script',
    transaction.writeFile({ kind: 'file', mode: 0o755, ...owned }, Buffer.from('#!/bin/sh\n')),
  );
  tree.replaceFile(
    'link',
    transaction.writeFile({ kind: 'symlink', target: '../ü', ...owned, xattrs: [] }, Buffer.of()),
  );
  using below = tree.ensureDirectory('below');
  below.setMetadata(directory);
  below.replaceFile('large', largeChecksum);
  const commit = await transaction.writeCommit({
    tree: await transaction.writeMutableTree(tree),
    subject: 'a subject',
    body: 'a body\n',
    timestampSeconds: 1_700_000_000,
    metadata,
  });
  transaction.setRef(ref, commit);
  const stats = await transaction.commit();
  assert.equal(stats.contentObjectsTotal, 3);
  return commit;
}

each(
  'a repository gives back what was committed, and ostree accepts it',
  modes,
  async ({ mode }) => {
    using temp = new TempDir();
    const path = join(temp.path, 'repo');
    using repo = createRepo({ path, mode });
    assert.equal(repo.mode, mode);
    const checksum = await commitSample(repo, 'ociimage/a_2Fb');
    assert.deepEqual([...listRefs(repo)], [['ociimage/a_2Fb', checksum]]);
    assert.deepEqual([...listRefs(repo, { prefix: 'ociimage' }).values()], [checksum]);
    assert.equal(resolveRef(repo, 'ociimage/a_2Fb'), checksum);

    const commit = readCommit(repo, checksum);
    assert.deepEqual(commit.metadata, metadata);
    assert.equal(commit.subject, 'a subject');
    assert.equal(commit.body, 'a body\n');
    assert.equal(commit.timestampSeconds, 1_700_000_000);
    assert.equal(commit.parent, undefined);
    assert.equal(readDirectoryMetadata(repo, commit.tree.metadata).mode, 0o750);
    const root = readTree(repo, commit.tree.contents);
    assert.deepEqual([...root.files.keys()], ['link', 'script']);
    const owned = owner(mode);
    using script = openFile(repo, there(root.files.get('script')));
    assert.deepEqual(script.header, {
      kind: 'file',
      mode: 0o755,
      ...owned,
      xattrs: [...owned.xattrs].reverse(),
    });
    assert.equal(script.readAll().toString(), '#!/bin/sh\n');
    using link = openFile(repo, there(root.files.get('link')));
    assert.deepEqual(link.header, { kind: 'symlink', target: '../ü', ...owned, xattrs: [] });
    const below = readTree(repo, there(root.directories.get('below')?.contents));
    using large = openFile(repo, there(below.files.get('large')));
    const pieces = [] as Buffer[];
    for await (const piece of large.chunks({ chunkBytes: 100_000 })) pieces.push(piece);
    assert.ok(Buffer.concat(pieces).equals(Buffer.concat(largeChunks)));

    await runOk(['ostree', `--repo=${path}`, 'fsck']);
    const shown = await runOk(['ostree', `--repo=${path}`, 'ls', '-R', checksum]);
    assert.match(shown, /-00755 \d+ \d+ +10 \/script/);
    assert.match(shown, /l00777 \d+ \d+ +0 \/link -> \.\.\/ü/);
    assert.match(
      await runOk(['ostree', `--repo=${path}`, 'show', '--print-metadata-key=names', checksum]),
      /\['a', ''\]/,
    );
  },
);

each('what ostree commits is read', modes, async ({ mode }) => {
  using temp = new TempDir();
  const path = join(temp.path, 'repo');
  const source = join(temp.path, 'source');
  await runOk([
    'sh',
    '-c',
    'mkdir -p "$1/d" && echo content >"$1/d/f" && ln -s f "$1/d/l"',
    'sh',
    source,
  ]);
  const flags = mode === 'bare-user-only' ? ['--canonical-permissions'] : [`--owner-uid=${ownUid}`];
  await runOk(['ostree', `--repo=${path}`, 'init', `--mode=${mode}`]);
  const commit = await runOk([
    ...['ostree', `--repo=${path}`, 'commit', '-b', 'some/ref', '-s', 'subject', ...flags],
    ...['--add-metadata-string=docker.digest=sha256:00', '--add-metadata=n=uint32 7', source],
  ]);
  using repo = openRepo({ path });
  const checksum = resolveRef(repo, 'some/ref');
  assert.equal(checksum, commit.trim());
  const read = readCommit(repo, there(checksum));
  assert.deepEqual(read.metadata.get('docker.digest'), variantString('sha256:00'));
  assert.deepEqual(read.metadata.get('n'), { type: 'u', value: 7 });
  const root = readTree(repo, read.tree.contents);
  const directory = readTree(repo, there(root.directories.get('d')?.contents));
  using file = openFile(repo, there(directory.files.get('f')));
  assert.equal(file.readAll().toString(), 'content\n');
  assert.equal(file.header.uid, mode === 'bare-user-only' ? 0 : ownUid);
});

test('checkout() links the files of a commit into place', async () => {
  using temp = new TempDir();
  using repo = createRepo({ path: join(temp.path, 'repo'), mode: 'bare' });
  const commit = await commitSample(repo, 'r');
  await checkout(repo, { commit, path: join(temp.path, 'out') });
  const script = await stat(join(temp.path, 'out/script'));
  assert.deepEqual(
    [script.nlink, script.uid, script.gid, script.mode & 0o7777],
    [2, ownUid, ownGid, 0o755],
  );
  await checkout(repo, {
    commit,
    path: join(temp.path, 'copy'),
    forceCopy: true,
    subpath: '/below',
  });
  assert.equal((await stat(join(temp.path, 'copy/large'))).nlink, 1);
  await assert.rejects(
    checkout(repo, { commit, path: join(temp.path, 'out') }),
    (error) => error instanceof OstreeError && error.isExists,
  );
});

test('objects are listed, checked and pruned', async () => {
  using temp = new TempDir();
  using repo = createRepo({ path: join(temp.path, 'repo'), mode: 'bare' });
  const commit = await commitSample(repo, 'a/b');
  const objects = await listObjects(repo);
  // Three files, two trees, one dirmeta that both share, one commit.
  assert.equal(objects.length, 7);
  for (const object of objects) await fsckObject(repo, object);
  await setRef(repo, { ref: 'a/b', checksum: undefined });
  assert.deepEqual(await prune(repo, { refsOnly: false }), {
    objectsTotal: 7,
    objectsPruned: 0,
    bytesPruned: 0,
  });
  assert.equal((await prune(repo, { refsOnly: true, dryRun: true })).objectsPruned, 7);
  assert.ok(hasObject(repo, { type: 'commit', checksum: commit }));
  assert.equal((await prune(repo, { refsOnly: true })).objectsPruned, 7);
  assert.ok(!hasObject(repo, { type: 'commit', checksum: commit }));
  assert.equal(resolveRef(repo, 'a/b'), undefined);
});

test('detached metadata is written, read and removed', async () => {
  using temp = new TempDir();
  using repo = createRepo({ path: join(temp.path, 'repo'), mode: 'bare-user' });
  const checksum = await commitSample(repo, 'r');
  assert.equal(readDetachedMetadata(repo, checksum), undefined);
  await writeDetachedMetadata(repo, { checksum, metadata });
  assert.deepEqual(readDetachedMetadata(repo, checksum), metadata);
  await writeDetachedMetadata(repo, { checksum, metadata: undefined });
  assert.equal(readDetachedMetadata(repo, checksum), undefined);
});

test('a transaction that is not committed leaves nothing', async () => {
  using temp = new TempDir();
  using repo = createRepo({ path: join(temp.path, 'repo'), mode: 'bare' });
  {
    await using transaction = await beginTransaction(repo);
    transaction.writeFile(
      { kind: 'file', mode: 0o600, uid: ownUid, gid: ownGid, xattrs: [] },
      Buffer.of(1),
    );
    await assert.rejects(beginTransaction(repo), /has a transaction already/);
  }
  assert.deepEqual(await listObjects(repo), []);
  await using again = await beginTransaction(repo);
  assert.ok(again.isOpen);
});

each(
  'a file is written in pieces that nobody keeps',
  modes.filter(({ mode }) => mode !== 'archive'),
  async ({ mode }) => {
    using temp = new TempDir();
    using repo = createRepo({ path: join(temp.path, 'repo'), mode });
    const header = { kind: 'file', mode: 0o644, ...owner(mode) } as const;
    const size = largeChunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const hash = createFileHash(header);
    await using transaction = await beginTransaction(repo);
    const writer = transaction.openFileWriter(header, size);
    for (const chunk of largeChunks) {
      hash.update(chunk);
      writer.write(chunk);
    }
    assert.throws(() => {
      writer.write(Buffer.of(1));
    }, OstreeInputError);
    await assert.rejects(transaction.commit(), /while it is written to/);
    assert.equal(writer.finish(), hash.digest('hex'));
    const short = transaction.openFileWriter(header, 2);
    short.write(Buffer.of(1));
    assert.throws(() => short.finish(), OstreeInputError);
    short[Symbol.dispose]();
    const empty = transaction.openFileWriter(header, 0).finish();
    await transaction.commit();
    assert.equal((await listObjects(repo)).length, 2, 'what was given up is not there');
    await fsckObject(repo, { type: 'file', checksum: empty });
  },
);

test('an archive repository has no way for files in pieces', async () => {
  using temp = new TempDir();
  using repo = createRepo({ path: join(temp.path, 'repo'), mode: 'archive' });
  await using transaction = await beginTransaction(repo);
  const header = { kind: 'file', mode: 0o644, uid: 0, gid: 0, xattrs: [] } as const;
  assert.throws(() => transaction.openFileWriter(header, 1), OstreeInputError);
});

each('a file is read from a descriptor', modes, async ({ mode }) => {
  using temp = new TempDir();
  using repo = createRepo({ path: join(temp.path, 'repo'), mode });
  const header = { kind: 'file', mode: 0o644, ...owner(mode) } as const;
  const stream = Buffer.concat([encodeFileHeader(header), ...largeChunks]);
  const path = join(temp.path, 'stream');
  writeFileSync(path, stream);
  const checksum = parseChecksum(createHash('sha256').update(stream).digest('hex'));
  await using file = await open(path);
  await using transaction = await beginTransaction(repo);
  const { fd } = file;
  await transaction.writeObjectStream({ checksum, fd, length: stream.length });
  for (const wrong of [{ fd: -1 }, { length: -1 }])
    await assert.rejects(
      transaction.writeObjectStream({ checksum, fd, length: 1, ...wrong }),
      OstreeInputError,
    );
  const other = parseChecksum('0'.repeat(64));
  const closed = { checksum: other, fd: 0x7fff_0000, length: stream.length };
  await assert.rejects(transaction.writeObjectStream(closed), OstreeError);
  await transaction.commit();
  await fsckObject(repo, { type: 'file', checksum });
  assert.equal((await listObjects(repo)).length, 1);
});

test('a transaction that is given up gives up the file that is being written', async () => {
  using temp = new TempDir();
  using repo = createRepo({ path: join(temp.path, 'repo'), mode: 'bare-user' });
  {
    await using transaction = await beginTransaction(repo);
    const header = { kind: 'file', mode: 0o644, uid: 0, gid: 0, xattrs: [] } as const;
    transaction.openFileWriter(header, 10).write(Buffer.of(1, 2));
  }
  assert.deepEqual(await listObjects(repo), []);
  const options = { recursive: true, withFileTypes: true } as const;
  const left = readdirSync(join(temp.path, 'repo/tmp'), options);
  assert.deepEqual(
    left.filter((entry) => entry.isFile() && !entry.name.endsWith('lock')),
    [],
  );
});
