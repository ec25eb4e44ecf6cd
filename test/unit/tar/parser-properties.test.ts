import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';
import { extract } from 'tar-stream';

import { OperationalError } from '../../../src/errors/operational-error.js';
import { readTar } from '../../support/read-tar.js';
import { buildTar, type TarItem } from '../../support/tar-builder.js';

const component = fc
  .stringMatching(/^[a-zA-Z0-9_. é-]{1,40}$/)
  .filter((text) => !/^\.+$/.test(text));
const path = fc.array(component, { minLength: 1, maxLength: 8 }).map((parts) => parts.join('/'));
const item: fc.Arbitrary<TarItem> = fc.record(
  {
    path,
    content: fc.oneof(fc.constant(''), fc.string({ maxLength: 2000 })),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
    gid: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
    mtime: fc.integer({ min: 0, max: 2 ** 33 }),
    gnuLongNames: fc.boolean(),
  },
  { requiredKeys: ['path', 'content'] },
);

test('TarParser reads what tar-stream reads, where both can', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(item, { maxLength: 6 }),
      fc.integer({ min: 1, max: 3000 }),
      async (items, pieceBytes) => {
        const tar = buildTar(items);
        const ours = readTar(tar, { pieceBytes }).entries.map(({ entry, content }) => [
          Buffer.from(entry.path, 'latin1').toString(),
          entry.mode,
          entry.uid,
          entry.gid,
          entry.mtimeSeconds,
          Buffer.from(content, 'latin1').toString(),
        ]);
        const theirs: unknown[] = [];
        const reader = extract();
        reader.end(tar);
        for await (const entry of reader) {
          const { name, mode, uid, gid, mtime } = entry.header;
          const chunks: Buffer[] = [];
          for await (const chunk of entry) chunks.push(chunk as Buffer);
          theirs.push([
            name,
            mode,
            uid,
            gid,
            Math.floor(mtime.getTime() / 1000),
            Buffer.concat(chunks).toString(),
          ]);
        }
        assert.deepEqual(ours, theirs);
      },
    ),
    { numRuns: 150 },
  );
});

const damage = fc.array(fc.record({ at: fc.nat(20_000), byte: fc.integer({ min: 0, max: 255 }) }), {
  minLength: 1,
  maxLength: 5,
});

test('whatever is damaged, TarParser refuses it or reads something, and nothing else', () => {
  const sound = buildTar([
    { path: 'dir/', mode: 0o755 },
    { path: 'n'.repeat(150), content: 'x'.repeat(700), xattrs: { 'user.a': 'b' }, mtime: '1.5' },
    { path: 'g'.repeat(150), gnuLongNames: true, type: 'symlink', link: 'l'.repeat(120) },
    { path: 'dev', type: 'character-device', major: 1, minor: 3 },
  ]);
  fc.assert(
    fc.property(damage, fc.nat(sound.length), (changes, length) => {
      const tar = Buffer.from(sound.subarray(0, length));
      for (const { at, byte } of changes) if (at < tar.length) tar[at] = byte;
      try {
        for (const { entry } of readTar(tar).entries) {
          assert.ok(entry.path !== '' && !entry.path.includes('\0'));
          assert.ok(Number.isSafeInteger(entry.size) && entry.size >= 0);
          assert.ok(entry.mode <= 0o7777 && entry.uid >= 0 && entry.gid >= 0);
        }
      } catch (error) {
        assert.ok(error instanceof OperationalError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
