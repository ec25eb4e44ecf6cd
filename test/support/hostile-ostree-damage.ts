import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import * as ostree from '../../ostree-adapter/index.js';
import { attempt, directory, plain } from './hostile-ostree-attempt.js';

/** Every metadata object of a repository cut short, emptied and overwritten; then all that reads it. */
export async function tryDamage(folder: string): Promise<void> {
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
      await attempt([
        `${what} verify`,
        () => {
          ostree.verifyTree(repo, commit);
        },
      ]);
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
