import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import {
  chownAt,
  deviceNumber,
  linkAt,
  mkdirAt,
  mknodAt,
  openAt,
  setTimeAt,
  setTimeOf,
  symlinkAt,
} from '../../../src/sys/at.js';
import { copyContent } from '../../../src/sys/copy-content.js';
import { AT_FDCWD } from '../../../src/sys/libc.js';
import { removeTreeAt } from '../../../src/sys/remove-tree.js';
import { exchangePaths, renameNoReplace } from '../../../src/sys/rename.js';
import { syncFileSystemOf } from '../../../src/sys/sync.js';
import { listXattrs, listXattrsAt, setXattr, setXattrAt } from '../../../src/sys/xattrs.js';
import { doMeanwhile } from '../../support/do-meanwhile.js';
import { TempDir } from '../../support/temp-dir.js';

function inDir(body: (dirFd: number, path: string) => void): void {
  using dir = new TempDir();
  const fd = openSync(dir.path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    body(fd, dir.path);
  } finally {
    closeSync(fd);
  }
}

test('names are bytes: what is not UTF-8 stays as it is', () => {
  inDir((dirFd, path) => {
    const name = 'caf\xe9\xff';
    closeSync(openAt({ dirFd, name }, constants.O_WRONLY | constants.O_CREAT, 0o600));
    symlinkAt('\xfe/target', { dirFd, name: 'link' });
    assert.deepEqual(readdirSync(path, { encoding: 'latin1' }).sort(), [name, 'link']);
    assert.equal(readlinkSync(`${path}/link`, 'latin1'), '\xfe/target');
  });
});

test('times are kept to the nanosecond, of links too', () => {
  inDir((dirFd, path) => {
    symlinkAt('x', { dirFd, name: 'link' });
    setTimeAt({ dirFd, name: 'link' }, { seconds: 1_234_567_890, nanoseconds: 123_456_789 });
    assert.equal(lstatSync(`${path}/link`, { bigint: true }).mtimeNs, 1_234_567_890_123_456_789n);
    const fd = openAt({ dirFd, name: 'f' }, constants.O_WRONLY | constants.O_CREAT, 0o600);
    setTimeOf(fd, { seconds: -1, nanoseconds: 999_999_999 });
    closeSync(fd);
    assert.equal(lstatSync(`${path}/f`, { bigint: true }).mtimeNs, -1n);
  });
});

test('extended attributes are kept byte for byte, of links too', () => {
  inDir((dirFd, path) => {
    writeFileSync(`${path}/f`, '');
    const fd = openAt({ dirFd, name: 'f' }, constants.O_RDONLY);
    const value = Buffer.from([0, 0xff, 0x80, 10]);
    setXattr(fd, { name: 'user.b', value });
    setXattr(fd, { name: 'user.a', value: Buffer.alloc(0) });
    assert.deepEqual(listXattrs(fd), [
      { name: 'user.a', value: Buffer.alloc(0) },
      { name: 'user.b', value },
    ]);
    closeSync(fd);
    symlinkAt('f', { dirFd, name: 'link' });
    setXattrAt({ dirFd, name: 'link' }, { name: 'trusted.x', value });
    assert.deepEqual(listXattrsAt({ dirFd, name: 'link' }), [{ name: 'trusted.x', value }]);
    assert.equal(listXattrsAt({ dirFd, name: 'f' }).length, 2, 'the link was followed');
  });
});

test('owner and hard links concern the link itself', () => {
  inDir((dirFd, path) => {
    writeFileSync(`${path}/f`, '');
    symlinkAt('f', { dirFd, name: 'link' });
    chownAt({ dirFd, name: 'link' }, 12, 34);
    linkAt({ dirFd, name: 'link' }, { dirFd, name: 'second' });
    assert.equal(lstatSync(`${path}/f`).uid, process.getuid?.());
    assert.ok(lstatSync(`${path}/second`).isSymbolicLink());
    assert.deepEqual([lstatSync(`${path}/second`).uid, lstatSync(`${path}/second`).gid], [12, 34]);
  });
});

test('mknodAt() makes what its numbers say', () => {
  inDir((dirFd, path) => {
    mknodAt({ dirFd, name: 'dev' }, { mode: constants.S_IFCHR | 0o600, major: 1, minor: 3 });
    assert.equal(lstatSync(`${path}/dev`).rdev, 0x103);
  });
  assert.equal(deviceNumber(0x12345, 0xabcde), 0x00012000_abc345den);
});

test('removeTreeAt() removes what no path reaches', () => {
  inDir((dirFd, path) => {
    let parent = dirFd;
    const open: number[] = [];
    for (let depth = 0; depth < 60; depth += 1) {
      const at = { dirFd: parent, name: 'd'.repeat(200) };
      mkdirAt(at, 0);
      parent = openAt(at, constants.O_RDONLY | constants.O_DIRECTORY);
      open.push(parent);
    }
    symlinkAt('/', { dirFd: parent, name: 'out' });
    mkdirAt({ dirFd: parent, name: 'empty' }, 0);
    mknodAt({ dirFd: parent, name: 'fifo' }, { mode: constants.S_IFIFO, major: 0, minor: 0 });
    open.forEach((fd) => {
      closeSync(fd);
    });
    removeTreeAt({ dirFd, name: 'd'.repeat(200) });
    assert.deepEqual(readdirSync(path), []);
    removeTreeAt({ dirFd, name: 'never there' });
  });
});

test('removeTreeAt() removes what somebody puts in the place of what it saw', async () => {
  using dir = new TempDir();
  const [tree, place] = [`${dir.path}/tree`, `${dir.path}/tree/a/place`];
  // A folder at one moment, a file at the next.
  const swap = `
    try { fs.mkdirSync(data); fs.writeFileSync(data + '/in', ''); } catch {}
    try { fs.unlinkSync(data + '/in'); fs.rmdirSync(data); fs.writeFileSync(data, ''); } catch {}
    try { fs.unlinkSync(data); } catch {}`;
  await doMeanwhile(swap, place, async () => {
    for (let round = 0; round < 500; round += 1) {
      mkdirSync(`${tree}/a`, { recursive: true });
      await setImmediate();
      removeTreeAt({ dirFd: AT_FDCWD, name: tree });
      assert.ok(!existsSync(tree));
    }
  });
});

test('renameNoReplace() and exchangePaths()', () => {
  using dir = new TempDir();
  writeFileSync(`${dir.path}/a`, 'a');
  writeFileSync(`${dir.path}/b`, 'b');
  assert.throws(
    () => {
      renameNoReplace(`${dir.path}/a`, `${dir.path}/b`);
    },
    { code: 'EEXIST', syscall: 'renameat2' },
  );
  exchangePaths(`${dir.path}/a`, `${dir.path}/b`);
  assert.equal(readFileSync(`${dir.path}/a`, 'utf8'), 'b');
  renameNoReplace(`${dir.path}/a`, `${dir.path}/c`);
  assert.deepEqual(readdirSync(dir.path).sort(), ['b', 'c']);
});

test('copyContent() copies all of a file', () => {
  inDir((dirFd, path) => {
    const content = Buffer.alloc(3_000_000, 'content');
    writeFileSync(`${path}/from`, content);
    const from = openAt({ dirFd, name: 'from' }, constants.O_RDONLY);
    const to = openAt({ dirFd, name: 'to' }, constants.O_WRONLY | constants.O_CREAT, 0o600);
    copyContent(from, to);
    closeSync(from);
    closeSync(to);
    assert.ok(readFileSync(`${path}/to`).equals(content));
  });
});

test('syncFileSystemOf() syncs a directory and reports what is missing', async () => {
  using dir = new TempDir();
  await syncFileSystemOf(dir.path);
  await assert.rejects(syncFileSystemOf(`${dir.path}/missing`), { code: 'ENOENT' });
});

test('errors look as those of Node', () => {
  assert.throws(
    () => {
      mkdirAt({ dirFd: AT_FDCWD, name: '/no/such/place' }, 0o700);
    },
    { code: 'ENOENT', errno: -2, syscall: 'mkdirat', path: '/no/such/place' },
  );
});
