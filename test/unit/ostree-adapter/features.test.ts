import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import {
  applyStaticDelta,
  beginTransaction,
  checkout,
  checkoutComposefs,
  createMutableTree,
  createRepo,
  generateStaticDelta,
  hasComposefsCheckout,
  hasEd25519,
  hasObject,
  importArchive,
  importDirectory,
  listStaticDeltas,
  OstreeError,
  signCommit,
  signCommitGpg,
  verifyCommitGpg,
  verifyCommitSignature,
  type Checksum,
  type MutableTree,
  type Repo,
  type Transaction,
} from '../../../ostree-adapter/index.js';
import { each } from '../../support/each.js';
import { runOk } from '../../support/run-command.js';
import { TempDir } from '../../support/temp-dir.js';

async function commitContent(repo: Repo, content: Buffer): Promise<Checksum> {
  await using transaction = await beginTransaction(repo);
  const file = transaction.writeFile(
    { kind: 'file', mode: 0o644, uid: 0, gid: 0, xattrs: [] },
    content,
  );
  const metadata = transaction.writeDirectoryMetadata({ mode: 0o755, uid: 0, gid: 0, xattrs: [] });
  const contents = transaction.writeTree({ files: new Map([['f', file]]), directories: new Map() });
  const commit = await transaction.writeCommit({
    tree: { contents, metadata },
    timestampSeconds: 0,
  });
  await transaction.commit();
  return commit;
}

each(
  'checked out below an open directory over what stands there',
  [
    { name: 'none', overwrite: 'none', want: undefined },
    { name: 'union-files', overwrite: 'union-files', want: 'committed' },
    { name: 'add-files', overwrite: 'add-files', want: 'mine' },
    { name: 'union-identical', overwrite: 'union-identical', want: undefined },
  ] as const,
  async ({ overwrite, want }) => {
    using temp = new TempDir();
    using repo = createRepo({ path: join(temp.path, 'repo'), mode: 'bare-user' });
    const commit = await commitContent(repo, Buffer.from('committed'));
    const out = join(temp.path, 'out');
    await mkdir(out);
    for (const name of ['f', 'other']) await writeFile(join(out, name), 'mine');
    const dirFd = openSync(temp.path, 'r');
    try {
      const checkingOut = checkout(repo, { commit, dirFd, path: 'out', mode: 'user', overwrite });
      if (want === undefined) {
        await assert.rejects(
          checkingOut,
          (error) => error instanceof OstreeError && error.isExists,
        );
      } else await checkingOut;
    } finally {
      closeSync(dirFd);
    }
    assert.equal(await readFile(join(out, 'f'), 'utf8'), want ?? 'mine');
    assert.equal(await readFile(join(out, 'other'), 'utf8'), 'mine');
    const { uid, nlink } = await stat(join(out, 'f'));
    assert.equal(uid, process.getuid?.(), 'the owner is not that of the commit');
    assert.equal(nlink, want === 'committed' ? 2 : 1);
  },
);

test('a static delta takes a commit from one repository to another', async () => {
  using temp = new TempDir();
  const [from, to, file] = ['from', 'to', 'delta'].map((name) => join(temp.path, name)) as [
    string,
    string,
    string,
  ];
  using source = createRepo({ path: from, mode: 'archive' });
  using target = createRepo({ path: to, mode: 'archive' });
  const first = await commitContent(source, Buffer.alloc(50_000, 'a'));
  const second = await commitContent(source, Buffer.alloc(50_001, 'a'));
  await generateStaticDelta(source, { to: first });
  await generateStaticDelta(source, { from: first, to: second });
  assert.deepEqual([...listStaticDeltas(source)].sort(), [first, `${first}-${second}`].sort());
  await generateStaticDelta(source, { to: first, file });
  {
    await using transaction = await beginTransaction(target);
    await applyStaticDelta(transaction, file);
    await transaction.commit();
  }
  assert.ok(hasObject(target, { type: 'commit', checksum: first }));
  await runOk(['ostree', `--repo=${to}`, 'fsck']);
});

test('ed25519 signatures are made and checked, or told as not supported', async () => {
  using temp = new TempDir();
  using repo = createRepo({ path: join(temp.path, 'repo'), mode: 'bare-user' });
  const commit = await commitContent(repo, Buffer.from('x'));
  const [own, other] = [ed25519Key(), ed25519Key()];
  if (!hasEd25519()) {
    await assert.rejects(signCommit(repo, { commit, secretKey: own.secret }), OstreeError);
    return;
  }
  await assert.rejects(
    verifyCommitSignature(repo, { commit, publicKeys: [own.public] }),
    OstreeError,
  );
  await signCommit(repo, { commit, secretKey: own.secret });
  assert.notEqual(
    await verifyCommitSignature(repo, { commit, publicKeys: [other.public, own.public] }),
    '',
  );
  await assert.rejects(
    verifyCommitSignature(repo, { commit, publicKeys: [other.public] }),
    OstreeError,
  );
});

function ed25519Key(): { readonly secret: Buffer; readonly public: Buffer } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
  return { secret: Buffer.concat([seed, point]), public: point };
}

test('GPG signatures are made and checked', async () => {
  using temp = new TempDir();
  const home = join(temp.path, 'gpg');
  const keyrings = join(temp.path, 'keyrings');
  await mkdir(home, { mode: 0o700 });
  await mkdir(keyrings);
  const gpg = ['gpg', '--homedir', home, '--batch', '--quiet'];
  await runOk([
    ...gpg,
    '--passphrase',
    '',
    '--quick-generate-key',
    'a@b',
    'ed25519',
    'sign',
    'never',
  ]);
  await runOk([...gpg, '--output', join(keyrings, 'k.gpg'), '--export', 'a@b']);
  const listed = await runOk([...gpg, '--list-keys', '--with-colons']);
  const keyId = /^fpr:+([0-9A-F]+):/m.exec(listed)?.[1] ?? '';
  using repo = createRepo({ path: join(temp.path, 'repo'), mode: 'bare-user' });
  const commit = await commitContent(repo, Buffer.from('x'));
  await assert.rejects(verifyCommitGpg(repo, { commit, keyringDirectory: keyrings }), OstreeError);
  await signCommitGpg(repo, { commit, keyId, homeDirectory: home });
  const [signature, ...more] = await verifyCommitGpg(repo, { commit, keyringDirectory: keyrings });
  assert.deepEqual(more, []);
  assert.equal(signature?.isValid, true);
  const nobody = join(temp.path, 'none');
  await mkdir(nobody);
  const [unknown] = await verifyCommitGpg(repo, { commit, keyringDirectory: nobody });
  assert.deepEqual([unknown?.isValid, unknown?.isKeyMissing], [false, true]);
  await runOk(['gpgconf', '--homedir', home, '--kill', 'all']);
});

test('composefs images are written where libostree can', async () => {
  using temp = new TempDir();
  const path = join(temp.path, 'image');
  using repo = createRepo({ path: join(temp.path, 'repo'), mode: 'bare-user' });
  const commit = await commitContent(repo, Buffer.from('x'.repeat(5000)));
  try {
    await checkoutComposefs(repo, { commit, path, verity: 'disabled' });
  } catch (error) {
    assert.ok(error instanceof OstreeError && error.isNotSupported, String(error));
    return;
  }
  assert.ok(hasComposefsCheckout());
  // The magic number of EROFS, at 1024.
  assert.equal((await readFile(path)).readUInt32LE(1024), 0xe0f5_e1e2);
});

async function importWith(
  repo: Repo,
  body: (transaction: Transaction, tree: MutableTree) => Promise<void>,
): Promise<Checksum> {
  await using transaction = await beginTransaction(repo);
  using tree = createMutableTree();
  await body(transaction, tree);
  const commit = await transaction.writeCommit({
    tree: await transaction.writeMutableTree(tree),
    timestampSeconds: 0,
  });
  await transaction.commit();
  return commit;
}

test('directories and archives are taken in, each in one call', async () => {
  using temp = new TempDir();
  const source = join(temp.path, 'source');
  const archive = join(temp.path, 'archive.tar');
  await runOk([
    'sh',
    '-c',
    'mkdir -p "$1/d" && echo x >"$1/d/f" && tar -cf "$2" -C "$1" .',
    'sh',
    source,
    archive,
  ]);
  using repo = createRepo({ path: join(temp.path, 'repo'), mode: 'bare-user' });
  const options = { canonicalPermissions: true };
  const ofDirectory = await importWith(repo, (transaction, tree) =>
    importDirectory(transaction, tree, { ...options, path: source }),
  );
  const ofArchive = await importWith(repo, async (transaction, tree) => {
    const fd = openSync(archive, 'r');
    try {
      await importArchive(transaction, tree, { ...options, fd });
    } finally {
      closeSync(fd);
    }
  });
  assert.equal(ofArchive, ofDirectory);
  const out = join(temp.path, 'out');
  await checkout(repo, { commit: ofArchive, path: out, mode: 'user' });
  assert.equal(await readFile(join(out, 'd/f'), 'utf8'), 'x\n');
});

test('a call that is cancelled ends with the signal’s reason', async () => {
  using temp = new TempDir();
  const source = join(temp.path, 'source');
  await runOk(['sh', '-c', 'mkdir "$1" && cd "$1" && seq 20000 | xargs touch', 'sh', source]);
  using repo = createRepo({ path: join(temp.path, 'repo'), mode: 'bare-user' });
  await using transaction = await beginTransaction(repo);
  using tree = createMutableTree();
  const controller = new AbortController();
  const importing = importDirectory(transaction, tree, {
    path: source,
    skipXattrs: true,
    signal: controller.signal,
  });
  const reason = new Error('enough');
  setImmediate(() => {
    controller.abort(reason);
  });
  await assert.rejects(importing, reason);
});
