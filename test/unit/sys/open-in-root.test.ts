import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';

import { openInRoot, readFileInRoot } from '../../../src/sys/open-in-root.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

function withRoot(body: (rootFd: number, dir: string) => void): void {
  using dir = new TempDir();
  const root = `${dir.path}/root`;
  mkdirSync(`${root}/etc`, { recursive: true });
  writeFileSync(`${dir.path}/secret`, 'host secret');
  writeFileSync(`${root}/secret`, 'image file');
  writeFileSync(`${root}/etc/passwd`, 'root:x');
  symlinkSync('/etc', `${root}/absolute`);
  symlinkSync('../../../../../../..', `${root}/up`);
  symlinkSync(`${dir.path}/secret`, `${root}/host`);
  symlinkSync('loop', `${root}/loop`);
  symlinkSync('/secret', `${root}/link`);
  const rootFd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    body(rootFd, dir.path);
  } finally {
    closeSync(rootFd);
  }
}

each(
  'readFileInRoot() stays inside the root',
  [
    { name: 'plain', path: 'etc/passwd', want: 'root:x' },
    { name: 'absolute path', path: '/etc/passwd', want: 'root:x' },
    { name: 'dot-dot', path: '../secret', want: 'image file' },
    { name: 'absolute link', path: 'absolute/passwd', want: 'root:x' },
    { name: 'link up and out', path: 'up/secret', want: 'image file' },
    { name: 'link as last component', path: 'link', want: 'image file' },
  ],
  ({ path, want }) => {
    withRoot((rootFd) => {
      assert.equal(readFileInRoot(rootFd, path, { maxBytes: 100 }).toString(), want, 'path escape');
    });
  },
);

test('a naive read by path string leaves the root (control)', () => {
  withRoot((_, dir) => {
    assert.equal(readFileSync(`${dir}/root/host`, 'utf8'), 'host secret');
  });
});

each(
  'readFileInRoot() refuses',
  [
    { name: 'a link to a path of the host', path: 'host', code: 'ENOENT' },
    { name: 'a loop', path: 'loop', code: 'ELOOP' },
    { name: 'a NUL in the path', path: 'etc/passwd\0x', code: 'EINVAL' },
    { name: 'a link, if told so', path: 'link', code: 'ELOOP', nofollow: true },
  ],
  ({ path, code, nofollow }) => {
    withRoot((rootFd) => {
      assert.throws(
        () => readFileInRoot(rootFd, path, { maxBytes: 100, nofollow: nofollow ?? false }),
        { code },
      );
    });
  },
);

test('openInRoot() refuses magic links of /proc', () => {
  const fd = openSync('/', constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    assert.throws(() => openInRoot(fd, `/proc/self/fd/${fd}/etc`), { code: 'ELOOP' });
  } finally {
    closeSync(fd);
  }
});

test('T26 readFileInRoot() refuses a FIFO and does not hang on it', async () => {
  using dir = new TempDir();
  assert.equal(spawnSync('mkfifo', [`${dir.path}/fifo`]).status, 0);
  const fd = openSync(dir.path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await assertFails('LIMIT_EXCEEDED', () => readFileInRoot(fd, 'fifo', { maxBytes: 100 }));
    await assertFails('LIMIT_EXCEEDED', () => readFileInRoot(fd, '.', { maxBytes: 100 }));
  } finally {
    closeSync(fd);
  }
});

test('M28 readFileInRoot() refuses a file above the limit, by its size and by what comes', async () => {
  using dir = new TempDir();
  writeFileSync(`${dir.path}/big`, 'x'.repeat(101));
  const fd = openSync(dir.path, constants.O_RDONLY | constants.O_DIRECTORY);
  const proc = openSync('/proc', constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await assertFails('LIMIT_EXCEEDED', () => readFileInRoot(fd, 'big', { maxBytes: 100 }));
    assert.equal(readFileInRoot(fd, 'big', { maxBytes: 101 }).length, 101);
    // procfs says size 0 and gives more
    await assertFails('LIMIT_EXCEEDED', () => readFileInRoot(proc, 'meminfo', { maxBytes: 10 }));
  } finally {
    closeSync(fd);
    closeSync(proc);
  }
});
