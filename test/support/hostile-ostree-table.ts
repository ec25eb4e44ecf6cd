import { join } from 'node:path';

import * as ostree from '../../ostree-adapter/index.js';
import {
  attempt,
  badChecksums,
  badNames,
  badPaths,
  badRefs,
  closedRepo,
  closedTransaction,
  deepCommit,
  deepTree,
  directory,
  plain,
  zeros,
  type Row,
} from './hostile-ostree-attempt.js';

/** Calls everything of the OSTree adapter with what no caller should pass. */
export async function tryTable(folder: string): Promise<void> {
  using repo = ostree.createRepo({ path: join(folder, 'repo'), mode: 'bare-user' });
  await using transaction = await ostree.beginTransaction(repo);
  using tree = ostree.createMutableTree();
  const noMode = 'toString' as ostree.RepoMode;
  const noOverwrite = 'valueOf' as 'none';
  const noType = 'nothing' as ostree.ObjectType;
  const rows: Row[] = [
    ...badPaths.map((path): Row => [`open ${path}`, () => ostree.openRepo({ path })]),
    ...badPaths.map((path): Row => [
      `create ${path}`,
      () => ostree.createRepo({ path, mode: 'bare' }),
    ]),
    ['create mode', () => ostree.createRepo({ path: folder, mode: noMode })],
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
          overwrite: noOverwrite,
        }),
    ],
    ['prune depth', () => ostree.prune(repo, { depth: -2 })],
    ['prune depth', () => ostree.prune(repo, { depth: 2 ** 40 })],
    ['object type', () => ostree.hasObject(repo, { type: noType, checksum: zeros })],
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
    [
      'deep tree',
      () => {
        deepTree(3000);
      },
    ],
    [
      'deep commit',
      () => deepCommit(repo, transaction, { depth: 3000, out: join(folder, 'deep') }),
    ],
    ['second transaction', () => ostree.beginTransaction(repo)],
    ['closed repo', () => ostree.listRefs(closedRepo(folder))],
    ['closed repo', () => closedRepo(folder).mode],
    [
      'closed repo',
      () => ostree.checkout(closedRepo(folder), { commit: zeros, path: join(folder, 'x') }),
    ],
    [
      'closed transaction',
      async () => (await closedTransaction(folder)).writeDirectoryMetadata(directory),
    ],
    [
      'closed transaction',
      async () => {
        (await closedTransaction(folder)).setRef('a', zeros);
      },
    ],
    ['closed transaction', async () => (await closedTransaction(folder)).commit()],
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
