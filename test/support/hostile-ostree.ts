import { readdirSync, readFileSync, chmodSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import fc from 'fast-check';

import * as ostree from '../../ostree-adapter/index.js';

/*
 * Calls the OSTree adapter with what no caller should pass, and prints what came of it. Run by
 * test/hostile/ostree-adapter.test.ts as a program of its own.
 */

const [mode = '', folder = ''] = process.argv.slice(2);

const zeros = '0'.repeat(64) as ostree.Checksum;
const plain: ostree.RegularFile = { kind: 'file', mode: 0o644, uid: 0, gid: 0, xattrs: [] };
const directory: ostree.DirectoryMetadata = { mode: 0o755, uid: 0, gid: 0, xattrs: [] };

const badNames = ['', '.', '..', 'a/b', '/', 'a\0b', '\ud800', 'x'.repeat(256), 'ü'.repeat(200)];
const badRefs = [
  '',
  '/',
  'a/',
  '/a',
  'a//b',
  '.a',
  '-a',
  'a:b',
  'a\n',
  'a b',
  'a\0b',
  '../x',
  'a/../b',
  'x'.repeat(5000),
  'a/'.repeat(3000) + 'a',
  '\udfff',
];
const badChecksums = [
  '',
  'a',
  '0'.repeat(63),
  '0'.repeat(65),
  'g'.repeat(64),
  'A'.repeat(64),
  `${'0'.repeat(63)}\0`,
  `${'0'.repeat(64)}\n`,
];
const badPaths = ['', 'a\0b', '\ud800', 'x'.repeat(5000), '/nonexistent/\u0001'];

type Row = readonly [what: string, call: () => unknown];

function say(line: string): void {
  process.stdout.write(`${line.replaceAll('\n', ' ').slice(0, 200)}\n`);
}

async function attempt([what, call]: Row): Promise<void> {
  try {
    await call();
    say(`ok ${what}`);
  } catch (error) {
    if (error instanceof ostree.OstreeInputError) say(`refused ${what}`);
    else if (error instanceof ostree.OstreeError || error instanceof ostree.GVariantError)
      say(`failed ${what}`);
    else if (error instanceof Error && error.constructor === Error)
      say(`closed ${what}: ${error.message}`);
    else say(`unexpected ${what}: ${String(error)}`);
  }
}

function closedRepo(): ostree.Repo {
  const repo = ostree.openRepo({ path: join(folder, 'repo') });
  repo[Symbol.dispose]();
  return repo;
}

async function closedTransaction(): Promise<ostree.Transaction> {
  using repo = ostree.openRepo({ path: join(folder, 'repo') });
  const transaction = await ostree.beginTransaction(repo);
  await transaction.abort();
  return transaction;
}

/** Deeper than libostree's functions can go. */
function deepTree(depth: number): void {
  const trees = [ostree.createMutableTree()];
  try {
    for (let level = 1; level < depth; level += 1) {
      const below = trees.at(-1)?.ensureDirectory('d');
      if (below !== undefined) trees.push(below);
    }
  } finally {
    for (const tree of trees.reverse()) tree[Symbol.dispose]();
  }
}

async function deepCommit(
  repo: ostree.Repo,
  transaction: ostree.Transaction,
  depth: number,
): Promise<void> {
  const metadata = transaction.writeDirectoryMetadata(directory);
  let contents = transaction.writeTree({ files: new Map(), directories: new Map() });
  for (let level = 1; level < depth; level += 1) {
    contents = transaction.writeTree({
      files: new Map(),
      directories: new Map([['d', { contents, metadata }]]),
    });
  }
  const commit = await transaction.writeCommit({
    tree: { contents, metadata },
    timestampSeconds: 0,
  });
  await ostree.checkout(repo, { commit, path: join(folder, 'deep') });
}

async function table(): Promise<void> {
  using repo = ostree.createRepo({ path: join(folder, 'repo'), mode: 'bare-user' });
  await using transaction = await ostree.beginTransaction(repo);
  using tree = ostree.createMutableTree();
  const any = <T>(value: unknown): T => value as T;
  const rows: Row[] = [
    ...badPaths.map((path): Row => [`open ${path}`, () => ostree.openRepo({ path })]),
    ...badPaths.map((path): Row => [
      `create ${path}`,
      () => ostree.createRepo({ path, mode: 'bare' }),
    ]),
    ['create mode', () => ostree.createRepo({ path: folder, mode: any('toString') })],
    ['open fd', () => ostree.openRepo({ path: 'x', dirFd: -1 })],
    ['open fd', () => ostree.openRepo({ path: 'x', dirFd: 2 ** 31 })],
    ['open fd', () => ostree.openRepo({ path: 'x', dirFd: 1000 })],
    ...badRefs.map((ref): Row => [
      `set ref ${ref}`,
      () => {
        transaction.setRef(ref, zeros);
      },
    ]),
    ...badRefs.map((ref): Row => [`resolve ${ref}`, () => ostree.resolveRef(repo, ref)]),
    ...badRefs.map((prefix): Row => [`list ${prefix}`, () => ostree.listRefs(repo, { prefix })]),
    ...badRefs.map((ref): Row => [
      `set ref now ${ref}`,
      () => ostree.setRef(repo, { ref, checksum: zeros }),
    ]),
    [
      'set remote',
      () => {
        transaction.setRef('a', zeros, 'a/b');
      },
    ],
    ...badChecksums.flatMap((text): Row[] => {
      const checksum = text as ostree.Checksum;
      return [
        [`read commit ${text}`, () => ostree.readCommit(repo, checksum)],
        [`read tree ${text}`, () => ostree.readTree(repo, checksum)],
        [`open file ${text}`, () => ostree.openFile(repo, checksum)],
        [`has ${text}`, () => ostree.hasObject(repo, { type: 'file', checksum })],
        [`fsck ${text}`, () => ostree.fsckObject(repo, { type: 'commit', checksum })],
        [
          `delete ${text}`,
          () => {
            ostree.deleteObject(repo, { type: 'file', checksum });
          },
        ],
        [
          `checkout ${text}`,
          () => ostree.checkout(repo, { commit: checksum, path: join(folder, 'x') }),
        ],
        [
          `set ref to ${text}`,
          () => {
            transaction.setRef('a', checksum);
          },
        ],
        [
          `tree file ${text}`,
          () => {
            tree.replaceFile('a', checksum);
          },
        ],
        [
          `tree metadata ${text}`,
          () => {
            tree.setMetadata(checksum);
          },
        ],
        [
          `tree object ${text}`,
          () =>
            transaction.writeTree({ files: new Map([['a', checksum]]), directories: new Map() }),
        ],
        [
          `commit parent ${text}`,
          () =>
            transaction.writeCommit({
              tree: { contents: zeros, metadata: zeros },
              parent: checksum,
              timestampSeconds: 0,
            }),
        ],
        [`delta ${text}`, () => ostree.generateStaticDelta(repo, { to: checksum })],
      ];
    }),
    ...badNames.flatMap((name): Row[] => [
      [
        `tree file ${name}`,
        () => {
          tree.replaceFile(name, zeros);
        },
      ],
      [
        `tree dir ${name}`,
        () => {
          tree.ensureDirectory(name)[Symbol.dispose]();
        },
      ],
      [`tree remove ${name}`, () => tree.remove(name)],
      [
        `tree object ${name}`,
        () => transaction.writeTree({ files: new Map([[name, zeros]]), directories: new Map() }),
      ],
    ]),
    [
      'name twice',
      () =>
        transaction.writeTree({
          files: new Map([['a', zeros]]),
          directories: new Map([['a', { contents: zeros, metadata: zeros }]]),
        }),
    ],
    ...[-1, 0o10000, 0.5, NaN, Infinity].map((bits): Row => [
      `mode ${bits}`,
      () => transaction.writeFile({ ...plain, mode: bits }, Buffer.of()),
    ]),
    ...[-1, 2 ** 32, 0.5, NaN].map((uid): Row => [
      `uid ${uid}`,
      () => transaction.writeFile({ ...plain, uid }, Buffer.of()),
    ]),
    ...['', 'a\0b', '\ud800', 'x'.repeat(4096)].map((target): Row => [
      `target ${target}`,
      () =>
        transaction.writeFile({ kind: 'symlink', target, uid: 0, gid: 0, xattrs: [] }, Buffer.of()),
    ]),
    [
      'link with content',
      () =>
        transaction.writeFile(
          { kind: 'symlink', target: 'x', uid: 0, gid: 0, xattrs: [] },
          Buffer.of(1),
        ),
    ],
    ...['', 'a\0b', 'x'.repeat(256), '\u0100'].map((name): Row => [
      `xattr ${name}`,
      () => transaction.writeFile({ ...plain, xattrs: [[name, Buffer.of(1)]] }, Buffer.of()),
    ]),
    [
      'xattr twice',
      () =>
        transaction.writeDirectoryMetadata({
          ...directory,
          xattrs: [
            ['user.a', Buffer.of(1)],
            ['user.a', Buffer.of(2)],
          ],
        }),
    ],
    [
      'xattr size',
      () =>
        transaction.writeDirectoryMetadata({
          ...directory,
          xattrs: [['user.a', Buffer.alloc(65_537)]],
        }),
    ],
    [
      'xattr number',
      () =>
        transaction.writeDirectoryMetadata({
          ...directory,
          xattrs: Array.from(
            { length: 2000 },
            (_, index) => [`user.${index}`, Buffer.of(1)] as const,
          ),
        }),
    ],
    [
      'commit time',
      () =>
        transaction.writeCommit({
          tree: { contents: zeros, metadata: zeros },
          timestampSeconds: -1,
        }),
    ],
    [
      'commit time',
      () =>
        transaction.writeCommit({
          tree: { contents: zeros, metadata: zeros },
          timestampSeconds: 2 ** 60,
        }),
    ],
    [
      'commit subject',
      () =>
        transaction.writeCommit({
          tree: { contents: zeros, metadata: zeros },
          subject: 'a\0b',
          timestampSeconds: 0,
        }),
    ],
    [
      'commit size',
      () =>
        transaction.writeCommit({
          tree: { contents: zeros, metadata: zeros },
          body: 'x'.repeat(11_000_000),
          timestampSeconds: 0,
        }),
    ],
    [
      'commit metadata',
      () =>
        transaction.writeCommit({
          tree: { contents: zeros, metadata: zeros },
          metadata: new Map([['a', { type: 'zz', value: 1 }]]),
          timestampSeconds: 0,
        }),
    ],
    [
      'commit metadata',
      () =>
        transaction.writeCommit({
          tree: { contents: zeros, metadata: zeros },
          metadata: new Map([['a', { type: 'u', value: -1 }]]),
          timestampSeconds: 0,
        }),
    ],
    [
      'commit metadata',
      () =>
        transaction.writeCommit({
          tree: { contents: zeros, metadata: zeros },
          metadata: new Map([['a\0', { type: 'u', value: 1 }]]),
          timestampSeconds: 0,
        }),
    ],
    [
      'tree without metadata',
      async () => {
        using empty = ostree.createMutableTree();
        await transaction.writeMutableTree(empty);
      },
    ],
    [
      'tree of nothing',
      () => {
        using lost = ostree.openMutableTree(repo, { contents: zeros, metadata: zeros });
        lost.files();
      },
    ],
    [
      'tree of nothing',
      () => {
        using lost = ostree.openMutableTree(repo, { contents: zeros, metadata: zeros });
        lost.setMetadata(zeros);
      },
    ],
    [
      'file over directory',
      () => {
        using below = tree.ensureDirectory('dir');
        below.setMetadata(zeros);
        tree.replaceFile('dir', zeros);
      },
    ],
    [
      'checkout both',
      () =>
        ostree.checkout(repo, {
          commit: zeros,
          path: join(folder, 'x'),
          forceCopy: true,
          noCopyFallback: true,
        }),
    ],
    [
      'checkout identical copy',
      () =>
        ostree.checkout(repo, {
          commit: zeros,
          path: join(folder, 'x'),
          forceCopy: true,
          overwrite: 'union-identical',
        }),
    ],
    [
      'checkout identical whiteouts',
      () =>
        ostree.checkout(repo, {
          commit: zeros,
          path: join(folder, 'x'),
          processWhiteouts: true,
          overwrite: 'union-identical',
        }),
    ],
    [
      'checkout subpath',
      () => ostree.checkout(repo, { commit: zeros, path: join(folder, 'x'), subpath: 'a' }),
    ],
    [
      'checkout subpath',
      () => ostree.checkout(repo, { commit: zeros, path: join(folder, 'x'), subpath: '/a/../..' }),
    ],
    [
      'checkout overwrite',
      () =>
        ostree.checkout(repo, {
          commit: zeros,
          path: join(folder, 'x'),
          overwrite: any('valueOf'),
        }),
    ],
    ['prune depth', () => ostree.prune(repo, { depth: -2 })],
    ['prune depth', () => ostree.prune(repo, { depth: 2 ** 40 })],
    ['object type', () => ostree.hasObject(repo, { type: any('nothing'), checksum: zeros })],
    ['metadata type', () => ostree.readMetadataObject(repo, { type: 'file', checksum: zeros })],
    ['sign key', () => ostree.signCommit(repo, { commit: zeros, secretKey: Buffer.alloc(10) })],
    [
      'verify key',
      () => ostree.verifyCommitSignature(repo, { commit: zeros, publicKeys: [Buffer.alloc(10)] }),
    ],
    ['verify keys', () => ostree.verifyCommitSignature(repo, { commit: zeros, publicKeys: [] })],
    ['gpg', () => ostree.verifyCommitGpg(repo, { commit: zeros, keyringDirectory: folder })],
    ['apply delta', () => ostree.applyStaticDelta(transaction, join(folder, 'none'))],
    [
      'import nothing',
      () => ostree.importDirectory(transaction, tree, { path: join(folder, 'none') }),
    ],
    ['import fd', () => ostree.importArchive(transaction, tree, { fd: 1000 })],
    ['import fd', () => ostree.importArchive(transaction, tree, { fd: -5 })],
    ['deep tree', () => deepTree(3000)],
    ['deep commit', () => deepCommit(repo, transaction, 3000)],
    ['second transaction', () => ostree.beginTransaction(repo)],
    ['closed repo', () => ostree.listRefs(closedRepo())],
    ['closed repo', () => closedRepo().mode],
    [
      'closed repo',
      () => ostree.checkout(closedRepo(), { commit: zeros, path: join(folder, 'x') }),
    ],
    [
      'closed transaction',
      async () => (await closedTransaction()).writeDirectoryMetadata(directory),
    ],
    [
      'closed transaction',
      async () => {
        (await closedTransaction()).setRef('a', zeros);
      },
    ],
    ['closed transaction', async () => (await closedTransaction()).commit()],
    [
      'closed tree',
      () => {
        const lost = ostree.createMutableTree();
        lost[Symbol.dispose]();
        lost[Symbol.dispose]();
        lost.files();
      },
    ],
    ['commit of nothing', () => transaction.commit().then(() => transaction.commit())],
  ];
  for (const row of rows) await attempt(row);
}

/** Anything where text is expected, and bytes where objects are. */
async function fuzz(): Promise<void> {
  using repo = ostree.createRepo({ path: join(folder, 'repo'), mode: 'bare-user' });
  await using transaction = await ostree.beginTransaction(repo);
  using tree = ostree.createMutableTree();
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom(...badRefs, ...badNames, ...badChecksums),
  );
  const quiet = (call: () => unknown): void => {
    try {
      call();
    } catch (error) {
      const known =
        error instanceof ostree.OstreeInputError ||
        error instanceof ostree.OstreeError ||
        error instanceof ostree.GVariantError;
      if (!known) throw error;
    }
  };
  fc.assert(
    fc.property(text, fc.integer(), fc.uint8Array(), (word, number, bytes) => {
      const checksum = word as ostree.Checksum;
      quiet(() => ostree.resolveRef(repo, word));
      quiet(() => ostree.listRefs(repo, { prefix: word }));
      quiet(() => {
        tree.replaceFile(word, zeros);
      });
      quiet(() => {
        tree.ensureDirectory(word)[Symbol.dispose]();
      });
      quiet(() => tree.remove(word));
      quiet(() => tree.find(word, () => undefined));
      quiet(() => ostree.readMetadataObject(repo, { type: 'dirtree', checksum }));
      quiet(() => ostree.openRepo({ path: join(folder, `none${word}`) }));
      quiet(() => transaction.writeFile({ ...plain, mode: number, uid: number }, bytes));
      quiet(() => transaction.writeFile({ ...plain, xattrs: [[word, bytes]] }, bytes));
      quiet(() =>
        transaction.writeFile(
          { kind: 'symlink', target: word, uid: 1, gid: 2, xattrs: [] },
          Buffer.of(),
        ),
      );
      quiet(() =>
        transaction.writeTree({ files: new Map([[word, zeros]]), directories: new Map() }),
      );
      quiet(() => ostree.decodeVariant('(a(say)a(sayay))', bytes));
      quiet(() => ostree.decodeVariant('a{sv}', bytes));
      quiet(() => ostree.decodeVariant(word, bytes));
    }),
    { numRuns: 1500 },
  );
}

/** Every metadata object of a repository cut short, emptied and overwritten; then all that reads it. */
async function damage(): Promise<void> {
  const path = join(folder, 'repo');
  for (const harm of ['cut', 'empty', 'noise'] as const) {
    for (const suffix of ['commit', 'dirtree', 'dirmeta', 'file']) {
      using repo = ostree.createRepo({ path: `${path}-${harm}-${suffix}`, mode: 'bare-user' });
      let commit: ostree.Checksum;
      {
        await using transaction = await ostree.beginTransaction(repo);
        const file = transaction.writeFile(
          { ...plain, xattrs: [['user.a', Buffer.of(1)]] },
          Buffer.from('content'),
        );
        const metadata = transaction.writeDirectoryMetadata(directory);
        const below = transaction.writeTree({
          files: new Map([['f', file]]),
          directories: new Map(),
        });
        const contents = transaction.writeTree({
          files: new Map([['f', file]]),
          directories: new Map([['d', { contents: below, metadata }]]),
        });
        commit = await transaction.writeCommit({
          tree: { contents, metadata },
          timestampSeconds: 0,
        });
        transaction.setRef('r', commit);
        await transaction.commit();
      }
      for (const object of objectFiles(`${path}-${harm}-${suffix}`, suffix)) harmFile(object, harm);
      const what = `${harm} ${suffix}`;
      const readAll = (): void => {
        const { tree } = ostree.readCommit(repo, commit);
        ostree.readDirectoryMetadata(repo, tree.metadata);
        for (const checksum of ostree.readTree(repo, tree.contents).files.values()) {
          using file = ostree.openFile(repo, checksum);
          file.readAll();
        }
      };
      await attempt([`${what} read`, readAll]);
      for (const object of await ostree.listObjects(repo)) {
        await attempt([`${what} fsck`, () => ostree.fsckObject(repo, object)]);
      }
      await attempt([`${what} verify`, () => ostree.verifyTree(repo, commit)]);
      await attempt([
        `${what} checkout`,
        () =>
          ostree.checkout(repo, {
            commit,
            path: join(folder, `out-${harm}-${suffix}`),
            mode: 'user',
          }),
      ]);
      await attempt([`${what} prune`, () => ostree.prune(repo, { refsOnly: true })]);
    }
  }
}

function objectFiles(repo: string, suffix: string): readonly string[] {
  return readdirSync(join(repo, 'objects'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(`.${suffix}`))
    .map((name) => join(repo, 'objects', name));
}

function harmFile(file: string, harm: 'cut' | 'empty' | 'noise'): void {
  const bytes = readFileSync(file);
  chmodSync(file, 0o644);
  if (harm === 'cut') writeFileSync(file, bytes.subarray(0, bytes.length - 3));
  if (harm === 'empty') writeFileSync(file, '');
  if (harm === 'noise') writeFileSync(file, Buffer.alloc(bytes.length, 0xfe));
}

/** What a binding without checks does: passes a ref on outside a transaction. */
function naive(): void {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  using repo = ostree.createRepo({ path: folder, mode: 'bare-user' });
  const library = koffi.load('libostree-1.so.1');
  const setRef = library.func(
    'void ostree_repo_transaction_set_ref(void *self, void *remote, str ref, str checksum)',
  ) as unknown as (...args: unknown[]) => void;
  setRef(repo.handle.pointer, null, 'a', zeros);
}

const modes: Readonly<Record<string, () => void | Promise<void>>> = { table, fuzz, damage, naive };
await modes[mode]?.();
say('done');
