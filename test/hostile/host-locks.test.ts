import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';
import { each } from '../support/each.js';
import { runCommand, runOk } from '../support/run-command.js';
import { TempDir } from '../support/temp-dir.js';
import { compareSnapshots, snapshotTree, type TreeSnapshot } from '../support/tree-snapshot.js';
import { PROGRAM } from '../torture/program.js';
import { supervise } from '../torture/supervise.js';

// Without locks that hold, two commands would change one container at once: berth does not work there, and says so.

let tree: BerthInTree;
let folder: TempDir;
let reference: string;
let pristine: TreeSnapshot;
let shim: string;

before(async () => {
  tree = new BerthInTree();
  folder = new TempDir();
  reference = tree.makeImage('web', [{ path: 'srv/' }]);
  shim = await buildShim(folder.path);
  pristine = await snapshot();
});

after(() => {
  tree[Symbol.dispose]();
  folder[Symbol.dispose]();
});

/** The tree without what a command makes before it has a lock: folders, and the file of the lock. */
async function snapshot(): Promise<TreeSnapshot> {
  const own = /^var\/lib\/berth(\/\.(store|locks|journal)(\/(lock|format|tmp|web\.lock))?)?$/;
  return new Map([...(await snapshotTree(tree.path))].filter(([path]) => !own.test(path)));
}

/** A library that says of every file that it is on a file system of the type FAKE_TYPE. */
async function buildShim(path: string): Promise<string> {
  const source = `${path}/shim.c`;
  writeFileSync(
    source,
    `#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
int statfs64(const char *path, struct statfs64 *to) {
  long result = syscall(SYS_statfs, path, to);
  if (result == 0 && getenv("FAKE_TYPE")) to->f_type = strtol(getenv("FAKE_TYPE"), NULL, 0);
  return (int)result;
}
int statfs(const char *path, struct statfs *to) { return statfs64(path, (struct statfs64 *)to); }
`,
  );
  await runOk(['cc', '-shared', '-fPIC', '-o', `${path}/shim.so`, source]);
  return `${path}/shim.so`;
}

// statfs(2), "The f_type field".
each(
  'F24 locks are not trusted on a file system that other hosts write to',
  [
    { name: 'NFS', type: '0x6969' },
    { name: 'CIFS', type: '0xff534d42' },
    { name: 'SMB', type: '0xfe534d42' },
    { name: '9P', type: '0x01021997' },
    { name: 'AFS', type: '0x5346414f' },
    { name: 'Ceph', type: '0x00c36400' },
  ],
  async ({ name, type }) => {
    const env = { ...process.env, LD_PRELOAD: shim, FAKE_TYPE: type };
    const naive = await runCommand(['flock', '--nonblock', `${folder.path}/naive`, 'true'], {
      env,
    });
    assert.equal(naive.status, 0, 'the control: flock(2) alone is content');
    const argv = [process.execPath, PROGRAM, '--root', tree.path, 'install', reference];
    const refused = await runCommand(argv, { env });
    assert.equal(refused.status, 73, refused.stderr);
    assert.match(
      refused.stderr,
      new RegExp(`cannot lock '.*': it is on ${name}, which other hosts`),
    );
    assert.match(refused.stderr, /^hint: use a local file system: BERTH_STATE_DIR/m);
    assert.deepEqual(compareSnapshots(pristine, await snapshot()), []);
  },
);

each(
  'F24 a file system without locks is told',
  [
    { name: 'no daemon for them', errno: 'ENOLCK', says: /its file system has none/ },
    { name: 'not supported', errno: 'EOPNOTSUPP', says: /its file system has none/ },
    { name: 'not known', errno: 'ENOSYS', says: /its file system has none/ },
    { name: 'granted to everybody', errno: 'none', says: /grants them to everybody/ },
  ],
  async ({ errno, says }) => {
    const argv = [process.execPath, PROGRAM, '--root', tree.path, 'install', reference];
    const run = await supervise(argv, {
      roots: [tree.path],
      calls: ['flock'],
      reads: true,
      fail: { from: 1, to: Infinity, errno },
    });
    assert.equal(run.fired, 'failed');
    assert.equal(run.status, 73, run.stderr);
    assert.match(run.stderr, says);
    assert.deepEqual(compareSnapshots(pristine, await snapshot()), []);
  },
);

test('on a file system with locks the same command succeeds', async () => {
  await tree.runOk('install', reference);
});
