import assert from 'node:assert/strict';
import { test } from 'node:test';

import { comparePackages } from '../../../src/images/packages/compare-packages.js';
import { PACKAGE_DATABASES, readPackages } from '../../../src/images/packages/read-packages.js';
import { each } from '../../support/each.js';
import { imageTree, type TreeSketch } from '../../support/image-tree.js';

const DPKG = `Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9+deb12u1
Description: GNU C Library
 Package: not a field
 .
 more

Package: old
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.15-2+b2
`;

const APK = `C:Q1abc=
P:musl
V:1.2.4-r2
A:x86_64
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1x=

C:Q1def=
P:busybox
V:1.36.1-r15
A:x86_64
`;

function database(path: string, content: string | Buffer): TreeSketch {
  return path
    .split('/')
    .reverse()
    .reduce<TreeSketch | string | Buffer>(
      (inner, name) => ({ [name]: inner }),
      content,
    ) as TreeSketch;
}

async function read(path: string, content: string | Buffer): ReturnType<typeof readPackages> {
  return readPackages(imageTree(database(path, content)));
}

test('readPackages() reads what dpkg has installed', async () => {
  assert.deepEqual(await read('var/lib/dpkg/status', DPKG), {
    packages: [
      { name: 'bash', version: '5.2.15-2+b2', architecture: 'amd64' },
      { name: 'libc6', version: '2.36-9+deb12u1', architecture: 'amd64' },
    ],
    read: ['dpkg'],
    unread: [],
  });
});

test('readPackages() reads the one-file packages of distroless images', async () => {
  const list = await readPackages(
    imageTree({
      var: {
        lib: {
          dpkg: {
            'status.d': {
              tzdata: 'Package: tzdata\nArchitecture: all\nVersion: 2024a\n',
              'tzdata.md5sums': 'd41d8 usr/share/x\n',
              base: 'Package: base-files\nArchitecture: amd64\nVersion: 12.4',
            },
          },
        },
      },
    }),
  );
  assert.deepEqual(
    list.packages.map(({ name, version }) => `${name} ${version}`),
    ['base-files 12.4', 'tzdata 2024a'],
  );
});

each(
  'readPackages() reads apk',
  [
    { name: 'at its old place', path: 'lib/apk/db/installed' },
    { name: 'at its new place', path: 'usr/lib/apk/db/installed' },
  ],
  async ({ path }) => {
    const list = await read(path, APK);
    assert.deepEqual(
      list.packages.map(({ name, version }) => `${name} ${version}`),
      ['busybox 1.36.1-r15', 'musl 1.2.4-r2'],
    );
  },
);

each(
  'readPackages() names what it cannot read, and goes on',
  [
    { name: 'a dpkg paragraph of nothing', path: 'var/lib/dpkg/status', content: 'Status: x\n' },
    {
      name: 'an endless field',
      path: 'var/lib/dpkg/status',
      content: `Package: ${'a'.repeat(1000)}\n`,
    },
    { name: 'binary data for apk', path: 'lib/apk/db/installed', content: Buffer.alloc(100) },
    { name: 'an apk package without name', path: 'lib/apk/db/installed', content: 'V:1\n' },
    {
      name: 'more packages than there are',
      path: 'var/lib/dpkg/status',
      content: 'Package: x\n\n'.repeat(100_001),
    },
  ],
  async ({ path, content }) => {
    const list = await read(path, content);
    assert.deepEqual(list.packages, []);
    assert.equal(list.unread.length, 1);
    assert.ok(list.unread[0]?.includes(path), list.unread[0]);
  },
);

test('readPackages() follows no link of the image', async () => {
  const list = await readPackages(
    imageTree({ var: { lib: { dpkg: { status: { link: '/etc/passwd' } } } } }),
  );
  assert.deepEqual(list, { packages: [], read: [], unread: [] });
});

test('comparePackages() tells versions, sides and architectures apart', () => {
  const list = (
    ...all: (readonly [string, string, string])[]
  ): Parameters<typeof comparePackages>[0] => ({
    packages: all.map(([name, version, architecture]) => ({ name, version, architecture })),
    read: ['dpkg'],
    unread: [],
  });
  const before = list(['a', '1', 'amd64'], ['gone', '1', 'all'], ['same', '3', 'all']);
  const after = list(
    ['a', '1', 'amd64'],
    ['a', '1', 'i386'],
    ['new', '2', 'all'],
    ['same', '4', 'all'],
  );
  assert.deepEqual(comparePackages(before, after).changes, [
    { name: 'a:i386', before: [], after: ['1'] },
    { name: 'gone', before: ['1'], after: [] },
    { name: 'new', before: [], after: ['2'] },
    { name: 'same', before: ['3'], after: ['4'] },
  ]);
});

test('PACKAGE_DATABASES knows the files that readPackages() looks for', () => {
  for (const path of [
    'var/lib/dpkg/status',
    'var/lib/dpkg/status.d/tzdata',
    'lib/apk/db/installed',
    'usr/lib/apk/db/installed',
    'var/lib/rpm/rpmdb.sqlite',
    'usr/lib/sysimage/rpm/Packages.db',
    'var/lib/rpm/Packages',
  ])
    assert.match(path, PACKAGE_DATABASES);
  for (const path of ['var/lib/dpkg/status-old', 'x/var/lib/dpkg/status', 'var/lib/dpkg/info/a'])
    assert.doesNotMatch(path, PACKAGE_DATABASES);
});
