import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { createHashHere } from '../../../src/oci/verify-content.js';
import { LentFile, type LentFileKeeper } from '../../../src/store/lent-file.js';
import type { StagedFile } from '../../../src/store/staged-objects.js';
import { createThreadedHash } from '../../../src/sys/threaded-hash.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

const meta = { mode: 0o640, uid: 0, gid: 0, mtimeSeconds: 7, mtimeNanoseconds: 0, xattrs: [] };
const content = randomBytes(900_000);
const sha256 = createHash('sha256').update(content).digest('hex');

function keeperIn(path: string, known = false) {
  const made = { created: 0, fd: -1, kept: '', dropped: '' };
  const create = (name: string): StagedFile => {
    made.created += 1;
    made.fd = openSync(path, 'w');
    return { fd: made.fd, name, preset: {} };
  };
  const keeper: LentFileKeeper = {
    missing: (digest) => (known ? undefined : `object-${digest}`),
    create: () => create('new-7'),
    createAs: (name) => create(name),
    keep: (name) => (made.kept = name),
    share: () => undefined,
    drop: ({ name }) => (made.dropped = name),
  };
  return { keeper, made };
}

each(
  'LentFile hashes and writes what is lent',
  [
    { name: 'in one piece', pieces: [900_000], known: false, created: 1 },
    { name: 'in pieces large and small', pieces: [300_000, 10, 599_990], known: false, created: 1 },
    { name: 'in one piece, not what is there', pieces: [900_000], known: true, created: 0 },
    {
      name: 'in pieces, and drops what is there',
      pieces: [450_000, 450_000],
      known: true,
      created: 1,
    },
  ],
  async ({ pieces, known, created }) => {
    using folder = new TempDir();
    const path = `${folder.path}/temp`;
    const { keeper, made } = keeperIn(path, known);
    const hash = createThreadedHash('sha256', 1e9) ?? createHashHere('sha256');
    const file = new LentFile({ meta, size: content.length }, hash, keeper);
    let at = 0;
    for (const bytes of pieces) {
      const piece = Buffer.from(content.subarray(at, at + bytes));
      at += bytes;
      file.write(piece);
      if (at === content.length) break;
      await file.settle();
      piece.fill(0); // lent no longer
    }
    await file.finish();
    assert.equal(file.node.contentSha256, sha256);
    assert.equal(made.created, created);
    assert.equal(made.kept, known ? '' : `object-${sha256}`);
    assert.equal(made.dropped, known && created > 0 ? 'new-7' : '');
    if (!known) assert.ok(readFileSync(path).equals(content), 'something else was written');
    if (created > 0) assert.throws(() => fstatSync(made.fd), { code: 'EBADF' });
  },
);

each(
  'LentFile tells of a disk that is full, and keeps nothing',
  [
    { name: 'in one piece', pieces: 1 },
    { name: 'in two', pieces: 2 },
  ],
  async ({ pieces }) => {
    const { keeper, made } = keeperIn('/dev/full');
    const file = new LentFile({ meta, size: content.length }, createHashHere('sha256'), keeper);
    const bytes = content.length / pieces;
    for (let at = 0; at < content.length; at += bytes) file.write(content.subarray(at, at + bytes));
    await assert.rejects(file.finish(), { code: 'ENOSPC' });
    assert.equal(made.kept, '');
    assert.throws(() => fstatSync(made.fd), { code: 'EBADF' }, 'the descriptor was left open');
  },
);

test('LentFile is given up in the middle: its descriptor is closed behind the last write', async () => {
  using folder = new TempDir();
  const { keeper, made } = keeperIn(`${folder.path}/temp`);
  const file = new LentFile({ meta, size: 2_000_000 }, createHashHere('sha256'), keeper);
  file.write(content);
  const given = file.abandon();
  fstatSync(made.fd); // still open
  await given;
  assert.equal(readFileSync(`${folder.path}/temp`).length, content.length);
  assert.throws(() => {
    closeSync(made.fd);
  });
});
