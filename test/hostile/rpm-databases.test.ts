import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { DatabaseUnreadable, MAX_PACKAGES } from '../../src/images/packages/package-list.js';
import { parseRpmNdb, parseRpmSqlite } from '../../src/images/packages/parse-rpm.js';
import { parseRpmHeader } from '../../src/images/packages/rpm-header.js';
import { each } from '../support/each.js';
import { rpmHeader } from '../support/rpm-header.js';
import { runOk } from '../support/run-command.js';
import { TempDir } from '../support/temp-dir.js';
import { seededRandom } from '../torture/seeded-random.js';

// An rpm database is a file of an image: pages that lead in circles, share their bytes or leave the file must not cost more
// than the file is long, and never more than an error that is told.

const PAGE = 512;

/** With rows on several levels of pages, and in overflow pages. */
let database: Buffer;

before(async () => {
  using folder = new TempDir();
  const path = join(folder.path, 'rpmdb.sqlite');
  const rows = Array.from({ length: 60 }, (_, index) => {
    const header = rpmHeader({ name: `p${index}`, version: '1', release: '2', filler: index * 30 });
    return `INSERT INTO Packages (blob) VALUES (X'${header.toString('hex')}');`;
  });
  await runOk(['sqlite3', path], {
    input: `PRAGMA page_size=${PAGE};
CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL);
BEGIN;
${rows.join('\n')}
COMMIT;`,
  });
  database = readFileSync(path);
});

function pageOf(bytes: Buffer, number: number): Buffer {
  return bytes.subarray((number - 1) * PAGE, number * PAGE);
}

/** The number of the first page of a kind that has at least two cells. */
function findPage(type: number): number {
  for (let number = 2; number <= database.length / PAGE; number++) {
    const page = pageOf(database, number);
    if (page[0] === type && page.readUInt16BE(3) >= 2) return number;
  }
  assert.fail(`no page of type ${type}`);
}

function edited(edit: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(database);
  edit(copy);
  return copy;
}

/** Follows pages as they say, with no memory of where it was; ends after so many steps. */
function naiveSteps(bytes: Buffer, root: number, limit: number): number {
  const waiting = [root];
  let steps = 0;
  for (let number = waiting.pop(); number !== undefined && steps < limit; number = waiting.pop()) {
    steps += 1;
    const page = pageOf(bytes, number);
    if (page[0] !== 5) continue;
    waiting.push(page.readUInt32BE(8));
    for (let cell = 0; cell < page.readUInt16BE(3); cell++)
      waiting.push(page.readUInt32BE(page.readUInt16BE(12 + cell * 2)));
  }
  return steps;
}

test('the database as it is can be read', () => {
  assert.equal(parseRpmSqlite(database, undefined).length, 60);
  assert.ok(findPage(5) > 1 && findPage(13) > 1);
});

test('pages that lead in a circle are told, where a naive walk does not end', () => {
  const root = findPage(5);
  const circle = edited((copy) => pageOf(copy, root).writeUInt32BE(root, 8));
  assert.equal(naiveSteps(database, root, 10_000) < 10_000, true);
  assert.equal(naiveSteps(circle, root, 10_000), 10_000, 'the control: it goes round');
  assert.throws(() => parseRpmSqlite(circle, undefined), /a page that is used twice/);
});

each(
  'a damaged database is told',
  [
    {
      name: 'every cell of a page the same one',
      says: /cells that share bytes/,
      edit: (copy: Buffer) => {
        const page = pageOf(copy, findPage(13));
        const at = page.readUInt16BE(8);
        for (let cell = 0; cell < 200; cell++) page.writeUInt16BE(at, 8 + cell * 2);
        page.writeUInt16BE(200, 3);
      },
    },
    {
      name: 'more cells than a page has',
      says: /more cells than/,
      edit: (copy: Buffer) => pageOf(copy, findPage(13)).writeUInt16BE(0xffff, 3),
    },
    {
      name: 'a child outside of the file',
      says: /a page that is not there/,
      edit: (copy: Buffer) => pageOf(copy, findPage(5)).writeUInt32BE(0xffffffff, 8),
    },
    {
      name: 'a child that is the page of no table',
      says: /a page that is used twice|another kind/,
      edit: (copy: Buffer) => pageOf(copy, findPage(5)).writeUInt32BE(1, 8),
    },
    {
      name: 'a row of 2^56 bytes',
      says: /a row larger than the file/,
      edit: (copy: Buffer) => {
        const page = pageOf(copy, findPage(13));
        page.fill(0xff, page.readUInt16BE(8), page.readUInt16BE(8) + 8);
      },
    },
    {
      name: 'no pages',
      says: /pages of 0 bytes/,
      edit: (copy: Buffer) => copy.writeUInt16BE(0, 16),
    },
    {
      name: 'pages of a strange size',
      says: /pages of 513 bytes/,
      edit: (copy: Buffer) => copy.writeUInt16BE(513, 16),
    },
    {
      name: 'pages that are all reserved',
      says: /without content/,
      edit: (copy: Buffer) => copy.writeUInt8(255, 20),
    },
    {
      name: 'a table of another name',
      says: /no table Packages/,
      edit: (copy: Buffer) => {
        for (let at = copy.indexOf('Packages'); at >= 0; at = copy.indexOf('Packages'))
          copy[at] = 81;
      },
    },
  ],
  ({ edit, says }) => {
    assert.throws(
      () => parseRpmSqlite(edited(edit), undefined),
      (error) => error instanceof DatabaseUnreadable && says.test(error.message),
    );
  },
);

test('whatever byte of a database is damaged, it is read or told, in bounded time', () => {
  const random = seededRandom(7);
  const started = performance.now();
  let told = 0;
  for (let round = 0; round < 3_000; round++) {
    const copy = edited((bytes) => {
      for (let count = 0; count < 1 + (round % 8); count++)
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    });
    try {
      assert.ok(parseRpmSqlite(copy, undefined).length <= MAX_PACKAGES);
    } catch (error) {
      assert.ok(error instanceof DatabaseUnreadable, String(error));
      told += 1;
    }
  }
  assert.ok(told > 100, `${told} damages were told`);
  assert.ok(performance.now() - started < 30_000);
});

each(
  'a header of a package that is none is told',
  [
    { name: 'nothing', header: Buffer.alloc(0), says: /without a header/ },
    {
      name: 'an index of 2^32 entries',
      header: Buffer.alloc(64, 0xff),
      says: /4294967295 entries/,
    },
    {
      name: 'another length than it says',
      header: Buffer.concat([rpmHeader({ name: 'a' }), Buffer.alloc(1)]),
      says: /another length/,
    },
    { name: 'no name', header: rpmHeader({ version: '1' }), says: /without a name/ },
    {
      name: 'a name that leads out',
      header: withOffset(rpmHeader({ name: 'a' }), 0x7fffffff),
      says: /leads nowhere/,
    },
    {
      name: 'a name that does not end',
      header: endless(rpmHeader({ name: 'abcdefgh' })),
      says: /does not end/,
    },
    {
      name: 'an endless name',
      header: rpmHeader({ name: 'a'.repeat(600) }),
      says: /600 characters/,
    },
  ],
  ({ header, says }) => {
    assert.throws(
      () => parseRpmHeader(header),
      (error) => error instanceof DatabaseUnreadable && says.test(error.message),
    );
  },
);

function withOffset(header: Buffer, offset: number): Buffer {
  header.writeUInt32BE(offset, 16);
  return header;
}

function endless(header: Buffer): Buffer {
  header[header.length - 1] = 65;
  return header;
}

/** A database of rpm's own form, with the same header in each of its slots or each in its own. */
function ndb(headers: readonly Buffer[], options: { readonly shared?: boolean } = {}): Buffer {
  const page = Buffer.alloc(4096);
  page.write('RpmP', 0, 'latin1');
  page.writeUInt32LE(1, 12);
  for (let slot = 32; slot < 4096; slot += 16) page.write('Slot', slot, 'latin1');
  const blobs: Buffer[] = [];
  let block = 256;
  headers.forEach((header, index) => {
    const blocks = Math.ceil((16 + header.length + 12) / 16);
    const blob = Buffer.alloc(blocks * 16);
    blob.write('BlbS', 0, 'latin1');
    blob.writeUInt32LE(options.shared === true ? 1 : index + 1, 4);
    blob.writeUInt32LE(header.length, 12);
    header.copy(blob, 16);
    blob.write('BlbE', blob.length - 4, 'latin1');
    const slot = 32 + index * 16;
    page.writeUInt32LE(options.shared === true ? 1 : index + 1, slot + 4);
    page.writeUInt32LE(options.shared === true ? 256 : block, slot + 8);
    page.writeUInt32LE(blocks, slot + 12);
    if (options.shared !== true || index === 0) blobs.push(blob);
    block += blocks;
  });
  return Buffer.concat([page, ...blobs]);
}

test('packages of the ndb form that share their bytes, or leave the file, are told', () => {
  const header = rpmHeader({ name: 'a', version: '1', release: '1', filler: 2_000 });
  const whole = ndb([header, header]);
  assert.equal(parseRpmNdb(whole).length, 2);
  const told = (bytes: Buffer, says: RegExp): void => {
    assert.throws(
      () => parseRpmNdb(bytes),
      (error) => error instanceof DatabaseUnreadable && says.test(error.message),
    );
  };
  told(
    ndb(
      Array.from({ length: 100 }, () => header),
      { shared: true },
    ),
    /share bytes/,
  );
  told(whole.subarray(0, whole.length - 16), /outside of the file/);
  const manySlots = Buffer.from(whole);
  manySlots.writeUInt32LE(0xffffffff, 12);
  told(manySlots, /cut off/);
  const strange = Buffer.from(whole);
  strange.writeUInt32LE(0xffffffff, 4096 + 12);
  told(strange, /not where it should be/);
  told(Buffer.alloc(4096), /not an rpm database/);
});
