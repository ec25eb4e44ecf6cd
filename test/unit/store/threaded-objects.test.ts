import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';

import { OperationalError } from '../../../src/errors/operational-error.js';
import type { FileNode, NodeMeta } from '../../../src/layer/tree.js';
import { parseDigest } from '../../../src/oci/digest.js';
import { OBJECT_FOLDERS, objectName } from '../../../src/store/embedded/object-name.js';
import {
  describeThrown,
  findObjectThread,
  ObjectThread,
  rebuildThrown,
  type ThreadPlace,
} from '../../../src/store/embedded/object-thread.js';
import { ThreadedObjects } from '../../../src/store/embedded/threaded-objects.js';
import { LayerCollector } from '../../../src/store/layer-collector.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { feedLayer } from '../../support/feed-layer.js';
import { buildLayer, type TarItem } from '../../support/tar-builder.js';
import { TempDir } from '../../support/temp-dir.js';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;

/** As much as starts the thread. */
const LARGE = 1e9;

const meta: NodeMeta = {
  ...{ mode: 0o640, uid: 4_000_000_000, gid: 12 },
  ...{ mtimeSeconds: -7, mtimeNanoseconds: 999_999_999, xattrs: [] },
};

class Objects implements AsyncDisposable {
  readonly #folder = new TempDir();
  readonly objects = `${this.#folder.path}/objects`;
  readonly temp = `${this.#folder.path}/temp`;
  readonly place: ThreadPlace;
  readonly taker: ThreadedObjects;

  constructor() {
    mkdirSync(this.temp);
    for (const name of OBJECT_FOLDERS) mkdirSync(`${this.objects}/${name}`, { recursive: true });
    this.place = {
      objectsFd: openSync(this.objects, DIRECTORY),
      objectsPath: this.objects,
      tempFd: openSync(this.temp, DIRECTORY),
      tempPath: this.temp,
      isFirst: true,
      replace: new Set(),
    };
    const thread = findObjectThread(LARGE);
    assert.ok(thread !== undefined, 'there is one processor only');
    this.taker = new ThreadedObjects(thread, this.place);
  }

  take(content: Uint8Array, at: NodeMeta = meta): FileNode {
    this.taker.begin({ path: 'file', meta: at, size: content.length });
    if (content.length > 0) this.taker.write(content, true);
    return this.taker.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.taker.close();
    closeSync(this.place.objectsFd);
    closeSync(this.place.tempFd);
    this.#folder[Symbol.dispose]();
  }
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function shared(content: Uint8Array): Buffer {
  const bytes = Buffer.from(new SharedArrayBuffer(content.length));
  bytes.set(content);
  return bytes;
}

each(
  'what is lent may be written to as soon as it is no longer borrowed',
  [
    { name: 'a file in one piece', sizes: [900_000], pieceBytes: 900_000, share: shared },
    {
      name: 'many in one piece each',
      sizes: Array.from({ length: 900 }, (_, index) => 1 + index * 10),
      pieceBytes: 100_000,
      share: shared,
    },
    { name: 'a file in pieces', sizes: [5_000_000], pieceBytes: 512 * 1024, share: shared },
    {
      name: 'memory that threads do not share',
      sizes: [5_000_000, 1, 700_000, 600_000, 0, 3],
      pieceBytes: 300_000,
      share: (content: Uint8Array) => Buffer.from(content),
    },
  ],
  async ({ sizes, pieceBytes, share }) => {
    await using there = new Objects();
    const { taker } = there;
    const uses: Promise<void>[] = [];
    const contents = sizes.map((size) => randomBytes(size));
    const nodes = contents.map((content) => {
      taker.begin({ path: 'file', meta, size: content.length });
      for (let at = 0; at < content.length; at += pieceBytes) {
        const piece = share(content.subarray(at, at + pieceBytes));
        taker.write(piece, true);
        // Not waited for before more comes, as it is in a pull.
        const use = taker.borrowed();
        assert.ok(use !== undefined, 'nothing was taken aside');
        uses.push(use.then(() => void piece.fill(0)));
      }
      return taker.end();
    });
    await taker.drain();
    await Promise.all(uses);
    assert.equal(taker.borrowed(), undefined);
    assert.ok(OBJECT_FOLDERS.every((name) => readdirSync(`${there.objects}/${name}`).length === 0));
    await taker.publish();
    contents.forEach((content, index) => {
      const contentSha256 = sha256(content);
      assert.equal(nodes[index]?.contentSha256, contentSha256);
      if (content.length === 0) return; // no object
      const path = `${there.objects}/${objectName({ contentSha256, meta })}`;
      assert.ok(readFileSync(path).equals(content), 'something else was written');
      const { uid, gid, mode, mtimeNs } = statSync(path, { bigint: true });
      assert.deepEqual([uid, gid, mode & 0o7777n], [4_000_000_000n, 12n, 0o640n]);
      assert.equal(mtimeNs, -6_000_000_001n);
    });
  },
);

test('content in one piece of memory, several files of it, some with attributes', async () => {
  await using there = new Objects();
  const xattrs = [{ name: 'user.one', value: Buffer.from('1') }];
  const piece = shared(Buffer.from('onetwoone'));
  const metas = [meta, { ...meta, xattrs }, { ...meta, xattrs }];
  const nodes = metas.map((at, index) => there.take(piece.subarray(index * 3, index * 3 + 3), at));
  await there.taker.drain();
  await there.taker.publish();
  for (const [index, content] of ['one', 'two', 'one'].entries()) {
    const node = nodes[index];
    assert.ok(node !== undefined);
    assert.equal(node.contentSha256, sha256(Buffer.from(content)));
    assert.equal(readFileSync(`${there.objects}/${objectName(node)}`, 'utf8'), content);
  }
});

test('an archive is hashed there on the way, whole, beside the files in it', async () => {
  await using there = new Objects();
  const archive = randomBytes(5_000_000);
  using hash = there.taker.hashAside('sha256');
  const nodes: FileNode[] = [];
  for (let at = 0; at < archive.length; at += 500_000) {
    const piece = shared(archive.subarray(at, at + 500_000));
    hash.add(piece);
    assert.equal(hash.settle(), undefined);
    // Some pieces have no file in them, and some content does not stand in the piece.
    if (at % 1_000_000 === 0) nodes.push(there.take(piece.subarray(0, 1000)));
    if (at % 1_500_000 === 0) nodes.push(there.take(Buffer.from(piece.subarray(0, 7))));
    if (at % 2_000_000 === 0) nodes.push(there.take(piece.subarray(1000, 90_000)));
    void there.taker.borrowed()?.then(() => piece.fill(0));
  }
  assert.equal(await hash.digest(), sha256(archive));
  assert.equal(nodes[0]?.contentSha256, sha256(archive.subarray(0, 1000)));
  assert.equal(nodes[1]?.contentSha256, sha256(archive.subarray(0, 7)));
  assert.throws(() => {
    hash.add(randomBytes(10));
  }, /not shared/);
});

const CONTENT = Buffer.alloc(3_000_000, 'some text that compresses');

const LAYER: readonly TarItem[] = [
  { path: 'a', content: CONTENT },
  { path: 'b', content: 'hello' },
];

each(
  'a layer with other content than its diff id says is refused where the archive is hashed on the way',
  [
    { name: 'gzip', layer: buildLayer(LAYER) },
    { name: 'zstd', layer: buildLayer(LAYER, { compression: 'zstd' }) },
    { name: 'not compressed', layer: buildLayer(LAYER, { compression: 'none' }) },
  ],
  async ({ layer }) => {
    await using good = new Objects();
    const sink = new LayerCollector(good.taker);
    await feedLayer(sink, layer);
    const file = sink.finish().root.entries.get('a');
    assert.ok(file?.kind === 'file');
    assert.equal(file.contentSha256, sha256(CONTENT));
    await using bad = new Objects();
    const diffId = parseDigest(`sha256:${sha256(Buffer.from('other'))}`);
    await assertFails('CONTENT_MISMATCH', () =>
      feedLayer(new LayerCollector(bad.taker), layer, { diffId }),
    );
  },
);

test('a layer that is no archive behind its first megabytes fails as that, whatever is hashed meanwhile', async () => {
  await using there = new Objects();
  const tar = buildLayer(LAYER, { compression: 'none' }).tar;
  const layer = buildLayer(Buffer.concat([tar.subarray(0, -1024), randomBytes(3_000_000)]));
  await assertFails('LAYER_ARCHIVE_INVALID', () =>
    feedLayer(new LayerCollector(there.taker), layer),
  );
});

test('what fails there is thrown here, and nothing is published', async () => {
  await using there = new Objects();
  rmSync(there.temp, { recursive: true });
  there.take(shared(Buffer.from('one')));
  const use = there.taker.borrowed();
  await use; // never rejects
  assert.throws(() => there.taker.ready(), { code: 'ENOENT', syscall: 'mkdirat' });
  await assert.rejects(there.taker.drain(), { code: 'ENOENT' });
  await assert.rejects(there.taker.publish(), { code: 'ENOENT' });
});

test('what does not wait for the other thread has a limit', async () => {
  await using there = new Objects();
  const content = randomBytes(8_000_000);
  there.take(content);
  const ready = there.taker.ready();
  assert.ok(ready !== undefined, 'there is room for ever more');
  await ready;
  assert.equal(there.taker.ready(), undefined);
});

test('a layer that is given up leaves nothing open', async () => {
  const before = readdirSync('/proc/self/fd').length;
  {
    await using there = new Objects();
    there.taker.begin({ path: 'file', meta, size: 10 });
    there.taker.write(shared(Buffer.from('half')), true);
    await there.taker.borrowed();
  }
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('a thread that has ended fails whoever asks, also afterwards', async () => {
  using folder = new TempDir();
  const file = `${folder.path}/ends.mjs`;
  const text = `import { parentPort } from 'node:worker_threads';\nparentPort.once('message', () => process.exit(7));\n`;
  writeFileSync(file, text);
  const thread = new ObjectThread(file);
  const request = { what: 'close', layer: thread.newLayer() } as const;
  await assert.rejects(thread.ask(request), /ended with 7/);
  const later = Promise.race([
    thread.ask(request),
    wait(2000).then(() => Promise.reject(new Error('nobody answers'))),
  ]);
  await assert.rejects(later, /ended with 7/);
});

test('a small layer is not worth a thread', () => {
  assert.equal(findObjectThread(100_000), undefined);
});

test('errors cross with what they say', () => {
  const cause: NodeJS.ErrnoException = new Error('ENOSPC: write');
  Object.assign(cause, { code: 'ENOSPC', syscall: 'write' });
  const error = new OperationalError('DISK_FULL', 'no room', { hint: 'make some', cause });
  const rebuilt = rebuildThrown(structuredClone(describeThrown(error)));
  assert.ok(rebuilt instanceof OperationalError);
  assert.deepEqual(
    [rebuilt.code, rebuilt.message, rebuilt.hint],
    ['DISK_FULL', 'no room', 'make some'],
  );
  assert.deepEqual(
    [(rebuilt.cause as typeof cause).code, (rebuilt.cause as typeof cause).syscall],
    ['ENOSPC', 'write'],
  );
  assert.equal(rebuildThrown(describeThrown('text')).message, 'text');
});
