import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { readPackages } from '../../src/images/packages/read-packages.js';
import { projectRoot } from '../support/cache-folder.js';
import { each } from '../support/each.js';
import { imageTree } from '../support/image-tree.js';
import { runOk } from '../support/run-command.js';
import { TempDir } from '../support/temp-dir.js';

// What rpm itself writes, read without rpm: what it says of its database is the measure.

/** Enough for several levels of pages; some with more files than a page has room for. */
const PACKAGES = 40;

let folder: TempDir;
let packages: readonly string[];

before(async () => {
  folder = new TempDir();
  packages = await buildPackages(folder.path);
});

after(() => {
  folder[Symbol.dispose]();
});

async function buildPackages(top: string): Promise<readonly string[]> {
  const names = Array.from({ length: PACKAGES }, (_, index) => `part${index}`);
  const parts = names.map(
    (name, index) => `%package -n ${name}
Summary: Part ${index}
Epoch: ${index % 3}
Version: ${index}.0~rc1
Release: ${index % 2 === 0 ? '1' : '2.el9_4'}
%description -n ${name}
${'Words and words. '.repeat(index)}
%files -n ${name}
${index % 10 === 0 ? `/usr/share/many/${index}` : '%dir /usr/share/many'}
`,
  );
  const spec = `Name: whole
Version: 1
Release: 1
Summary: A package with parts
License: MIT
BuildArch: noarch
%description
Whole.
%files
${parts.join('')}
%install
mkdir -p %{buildroot}/usr/share/many
for part in $(seq 0 10 ${PACKAGES}); do
  mkdir %{buildroot}/usr/share/many/$part
  for file in $(seq 300); do : >%{buildroot}/usr/share/many/$part/$file; done
done
rm -rf %{buildroot}/usr/share/many/${PACKAGES}
`;
  const path = join(top, 'whole.spec');
  writeFileSync(path, spec);
  await runOk(['rpmbuild', '-bb', '--quiet', '--define', `_topdir ${top}/build`, path]);
  const built = join(top, 'build/RPMS/noarch');
  return readdirSync(built).map((name) => join(built, name));
}

/** A database of all packages, some of them changed later. */
async function fillDatabase(name: string): Promise<string> {
  const root = join(folder.path, name);
  const rpm = ['rpm', '--root', root, '--dbpath', '/db'];
  await runOk([...rpm, '--initdb']);
  const quiet = ['--nodeps', '--noscripts', '--justdb', '--ignorearch'];
  await runOk([...rpm, '-i', ...quiet, ...packages]);
  await runOk([...rpm, '-e', '--nodeps', '--justdb', 'part7', 'part20', 'part39']);
  return root;
}

async function askRpm(root: string): Promise<readonly string[]> {
  const format = '%{NAME} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE} %{ARCH}\\n';
  const list = await runOk(['rpm', '--root', root, '--dbpath', '/db', '-qa', '--qf', format]);
  return list
    .trim()
    .split('\n')
    .map((line) => line.replace(' 0:', ' '))
    .sort();
}

each(
  'readPackages() reads what rpm has installed',
  [{ name: 'var/lib/rpm' }, { name: 'usr/lib/sysimage/rpm' }, { name: 'usr/share/rpm' }],
  async ({ name: place }) => {
    const root = await fillDatabase(place.replaceAll('/', '-'));
    const wanted = await askRpm(root);
    assert.equal(wanted.length, PACKAGES - 2, 'rpm has them');
    const content = readFileSync(join(root, 'db/rpmdb.sqlite'));
    const list = await readPackages(imageTree(sketch(place, { 'rpmdb.sqlite': content })));
    assert.deepEqual([list.read, list.unread], [['rpm (sqlite)'], []]);
    assert.deepEqual(
      list.packages.map((each) => `${each.name} ${each.version} ${each.architecture}`).sort(),
      wanted,
    );
  },
);

test('readPackages() reads what is only in the write-ahead log of a database', async () => {
  const root = await fillDatabase('logged');
  const path = join(root, 'db/rpmdb.sqlite');
  const rows = readFileSync(path);
  // Copied while it is open, as whoever makes an image of a running system does.
  await runOk(['sqlite3', path], {
    input: `PRAGMA journal_mode=WAL;
PRAGMA wal_autocheckpoint=0;
DELETE FROM Packages WHERE hnum <= 10;
BEGIN;
DELETE FROM Packages WHERE hnum <= 12;
ROLLBACK;
.shell cp ${path} ${path}.copy; cp ${path}-wal ${path}-wal.copy
`,
  });
  const read = (wal: Buffer | string): ReturnType<typeof readPackages> =>
    readPackages(
      imageTree(
        sketch('var/lib/rpm', {
          'rpmdb.sqlite': readFileSync(`${path}.copy`),
          'rpmdb.sqlite-wal': wal,
        }),
      ),
    );
  const log = readFileSync(`${path}-wal.copy`);
  assert.ok(log.length > 0 && rows.length > 0);
  const all = await read('');
  const changed = await read(log);
  assert.deepEqual([all.unread, changed.unread], [[], []]);
  assert.equal(all.packages.length, PACKAGES - 2);
  const left = Number(await runOk(['sqlite3', path, 'SELECT count(*) FROM Packages']));
  assert.ok(left < PACKAGES - 2);
  assert.equal(changed.packages.length, left);
  // What is torn behind the last transaction, and a log that was never begun, change nothing.
  assert.equal((await read(log.subarray(0, log.length - 100))).packages.length, PACKAGES - 2);
  assert.equal((await read(Buffer.alloc(log.length))).packages.length, PACKAGES - 2);
});

test('readPackages() reads the ndb form, as rpm 4.20 wrote it', async () => {
  const content = readFileSync(join(projectRoot, 'test/fixtures/rpm/Packages.db'));
  const place = 'usr/lib/sysimage/rpm';
  const list = await readPackages(imageTree(sketch(place, { 'Packages.db': content })));
  assert.deepEqual(list, {
    packages: [
      { name: 'part1', version: '2:1.0~rc1-2.el9_4', architecture: 'noarch' },
      { name: 'part2', version: '2.0-1', architecture: 'noarch' },
    ],
    read: ['rpm (ndb)'],
    unread: [],
  });
});

test('a Berkeley database is told as not read', async () => {
  const list = await readPackages(imageTree(sketch('var/lib/rpm', { Packages: 'anything' })));
  assert.deepEqual(list.packages, []);
  assert.deepEqual(list.unread, [
    'rpm (Berkeley DB), /var/lib/rpm/Packages: not read, rpm gave this form up in 4.17',
  ]);
});

function sketch(
  place: string,
  files: Readonly<Record<string, Buffer | string>>,
): Parameters<typeof imageTree>[0] {
  return place
    .split('/')
    .reverse()
    .reduce<Parameters<typeof imageTree>[0]>((inner, name) => ({ [name]: inner }), files);
}
