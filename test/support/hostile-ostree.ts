import { createRequire } from 'node:module';
import { join } from 'node:path';

import fc from 'fast-check';
import type * as koffiModule from 'koffi';

import * as ostree from '../../ostree-adapter/index.js';
import { badChecksums, badNames, badRefs, plain, say, zeros } from './hostile-ostree-attempt.js';
import { tryDamage } from './hostile-ostree-damage.js';
import { tryTable } from './hostile-ostree-table.js';

/*
 * Calls the OSTree adapter with what no caller should pass, and prints what came of it. Run by
 * test/hostile/ostree-adapter.test.ts as a program of its own.
 */

const [mode = '', folder = ''] = process.argv.slice(2);

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
      quiet(() => {
        tree.find(word, () => undefined);
      });
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

/** What a binding without checks does: passes a ref on outside a transaction. */
function naive(): void {
  const koffi = createRequire(import.meta.url)('koffi') as typeof koffiModule;
  using repo = ostree.createRepo({ path: folder, mode: 'bare-user' });
  const library = koffi.load('libostree-1.so.1');
  const setRef = library.func(
    'void ostree_repo_transaction_set_ref(void *self, void *remote, str ref, str checksum)',
  ) as unknown as (...args: unknown[]) => void;
  setRef(repo.handle.pointer, null, 'a', zeros);
}

const modes: Readonly<Record<string, () => void | Promise<void>>> = {
  table: () => tryTable(folder),
  fuzz,
  damage: () => tryDamage(folder),
  naive,
};
await modes[mode]?.();
say('done');
