import { openSync } from 'node:fs';

import koffi from 'koffi';

import * as ostree from '../../ostree-adapter/index.js';

/*
 * Does one thing with an OSTree repository 10,000 times, and prints by how many bytes what malloc gave out
 * grew. Resident memory would not do: pages that were freed before take what leaks. Run by
 * test/unit/ostree-adapter/leaks.test.ts as a program of its own, with --expose-gc and --single-threaded.
 */

const [what = '', path = ''] = process.argv.slice(2);
const TURNS = 10_000;
/** V8 takes and frees some memory of its own, so the window that grew least counts: what leaks does so
 * in all of them. */
const WINDOWS = 4;
/** Until pools and caches are as large as they get. */
const WARM_UP = 3000;

interface MallocInfo {
  readonly uordblks: number;
  readonly hblkhd: number;
}

const plain: ostree.RegularFile = {
  kind: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  xattrs: [['user.a', Buffer.of(1)]],
};
const missing = 'f'.repeat(64) as ostree.Checksum;
using repo = ostree.createRepo({ path, mode: 'bare-user' });
repo.syncs = false;
const transaction = await ostree.beginTransaction(repo);
const file = transaction.writeFile(plain, Buffer.from('content'));
const metadata = transaction.writeDirectoryMetadata({ mode: 0o755, uid: 0, gid: 0, xattrs: [] });
const contents = transaction.writeTree({ files: new Map([['f', file]]), directories: new Map() });
const commit = await transaction.writeCommit({
  tree: { contents, metadata },
  timestampSeconds: 0,
  metadata: new Map([['a', ostree.variantString('b')]]),
});
transaction.setRef('a/b', commit);
await transaction.commit();
const writing = await ostree.beginTransaction(repo);
const kept: unknown[] = [];
const nothing = openSync('/dev/null', 'r');

function swallow(call: () => unknown): void {
  try {
    call();
  } catch {
    return;
  }
  throw new Error('nothing failed');
}

const actions: Readonly<Record<string, (turn: number) => void | Promise<void>>> = {
  open: () => {
    using opened = ostree.openRepo({ path });
    ostree.resolveRef(opened, 'a/b');
  },
  read: () => {
    ostree.readCommit(repo, commit);
    ostree.readTree(repo, contents);
    ostree.listRefs(repo);
    ostree.readDetachedMetadata(repo, commit);
    using reader = ostree.openFile(repo, file);
    reader.readAll();
    ostree.readFileHeader(repo, file);
    using tree = ostree.openMutableTree(repo, { contents, metadata });
    tree.find('f', () => undefined);
    using below = tree.ensureDirectory('d');
    below.setMetadata(metadata);
  },
  write: async (turn) => {
    writing.writeFile(plain, Buffer.from('content'));
    writing.writeDirectoryMetadata({ mode: 0o755, uid: 0, gid: 0, xattrs: [] });
    // Calls in other threads cost more; they share all of the code above.
    if (turn % 10 !== 0) return;
    using tree = ostree.createMutableTree();
    tree.setMetadata(metadata);
    tree.replaceFile('f', file);
    await writing.writeMutableTree(tree);
    // It is there, so that nothing is read.
    await writing.writeObjectStream({ checksum: file, fd: nothing, length: 1 });
    await writing.writeCommit({ tree: { contents, metadata }, timestampSeconds: 0 });
    await ostree.fsckObject(
      repo,
      { type: 'file', checksum: file },
      { signal: new AbortController().signal },
    );
  },
  fail: () => {
    swallow(() => ostree.openRepo({ path: `${path}/none` }));
    swallow(() => ostree.readCommit(repo, missing));
    swallow(() => ostree.openFile(repo, missing));
    swallow(() => ostree.readTree(repo, missing));
    swallow(() => ostree.resolveRef(repo, '..'));
  },
  keep: () => {
    const tree = ostree.createMutableTree();
    tree.replaceFile('f', file);
    kept.push(tree);
  },
};

koffi.struct('mallinfo2', {
  arena: 'size_t',
  ordblks: 'size_t',
  smblks: 'size_t',
  hblks: 'size_t',
  hblkhd: 'size_t',
  usmblks: 'size_t',
  fsmblks: 'size_t',
  uordblks: 'size_t',
  fordblks: 'size_t',
  keepcost: 'size_t',
});
const mallinfo2 = koffi.load('libc.so.6').func('mallinfo2 mallinfo2()') as () => MallocInfo;

const action = actions[what];
if (action === undefined) throw new Error(`no action ${what}`);

function inUse(): number {
  globalThis.gc?.();
  const info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

const windowTurns = TURNS / WINDOWS;
for (let turn = 0; turn < WARM_UP; turn += 1) await action(turn);
const growths: number[] = [];
for (let window = 0; window < WINDOWS; window += 1) {
  const before = inUse();
  for (let turn = 0; turn < windowTurns; turn += 1) await action(turn);
  growths.push(inUse() - before);
}
await writing.abort();
process.stdout.write(`${(Math.min(...growths) * TURNS) / windowTurns}\n`);
