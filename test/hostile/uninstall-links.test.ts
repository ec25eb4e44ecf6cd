import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';

import { resolveHostPaths } from '../../src/config/host-paths.js';
import { removeStatePaths } from '../../src/containers/state-paths.js';
import { findPathsToCreate } from '../../src/containers/tmpfiles-paths.js';
import { pathsInFolder } from '../support/host-tree-paths.js';
import { TempDir } from '../support/temp-dir.js';

// What a container wrote into its own folders decides nothing about what uninstalling it removes.

const CREATED = ['/run/web', '/run/web/x', '/run/web/x/ssh', '/var/lib/web', '/var/lib/web/x'];
const NOT_SHARED = { isUsedByOthers: () => false };

/** The container made its folders, then put a link to /etc where one of them was. */
function swapped(root: string): ReturnType<typeof pathsInFolder> {
  const paths = pathsInFolder(root);
  mkdirSync(`${root}/etc/ssh`);
  writeFileSync(`${root}/etc/ssh/sshd_config`, 'Port 22\n');
  mkdirSync(`${root}/run/web`);
  symlinkSync(`${root}/etc`, `${root}/run/web/x`);
  mkdirSync(`${root}/var/lib/web`);
  return paths;
}

test('P23 H13 a folder that the container replaced by a link leads its uninstallation nowhere', () => {
  using dir = new TempDir();
  const paths = swapped(dir.path);
  removeStatePaths(paths, CREATED, { purge: true, ...NOT_SHARED });
  assert.deepEqual(readdirSync(`${dir.path}/etc/ssh`), ['sshd_config']);
  assert.ok(!existsSync(`${dir.path}/run/web`), 'the link itself goes with its folder');
  assert.ok(!existsSync(`${dir.path}/var/lib/web`));

  using control = new TempDir();
  swapped(control.path);
  for (const path of [...CREATED].reverse())
    rmSync(`${control.path}${path}`, { recursive: true, force: true });
  assert.ok(!existsSync(`${control.path}/etc/ssh`), 'removing by path is what this is about');
});

test('P23 H13 an empty folder behind such a link stays as well', () => {
  using dir = new TempDir();
  const paths = pathsInFolder(dir.path);
  mkdirSync(`${dir.path}/etc/empty`);
  mkdirSync(`${dir.path}/var/lib/web`);
  symlinkSync(`${dir.path}/etc`, `${dir.path}/var/lib/web/x`);
  const created = ['/var/lib/web', '/var/lib/web/x', '/var/lib/web/x/empty'];
  const kept = removeStatePaths(paths, created, { purge: false, ...NOT_SHARED });
  assert.ok(existsSync(`${dir.path}/etc/empty`));
  assert.deepEqual(kept, ['/var/lib/web'], 'what stays is said, once for all that is in it');
});

test('removeStatePaths() leaves what another container uses, purged or not', () => {
  using dir = new TempDir();
  const paths = pathsInFolder(dir.path);
  for (const folder of ['run/flannel', 'var/lib/web']) mkdirSync(`${dir.path}/${folder}`);
  writeFileSync(`${dir.path}/run/flannel/subnet.env`, '');
  const kept = removeStatePaths(paths, ['/run/flannel', '/var/lib/web'], {
    purge: true,
    isUsedByOthers: (path) => path === '/run/flannel',
  });
  assert.deepEqual(kept, ['/run/flannel']);
  assert.deepEqual(readdirSync(`${dir.path}/run/flannel`), ['subnet.env']);
  assert.ok(!existsSync(`${dir.path}/var/lib/web`));
});

test('removeStatePaths() leaves what else is where a new home had no folder for it yet', () => {
  using dir = new TempDir();
  const home = dir.path;
  const env = { HOME: home, XDG_RUNTIME_DIR: `${home}/run` };
  const paths = resolveHostPaths({ mode: 'user', env });
  const created = [`${home}/.config`, `${home}/.config/web`, `${home}/.config/web/a`];
  for (const folder of created) mkdirSync(folder);
  writeFileSync(`${home}/.config/web/a/own`, '');
  writeFileSync(`${home}/.config/others`, '');
  const kept = removeStatePaths(paths, created, { purge: true, ...NOT_SHARED });
  assert.deepEqual(kept, []);
  assert.deepEqual(readdirSync(`${home}/.config`), ['others']);
  rmSync(`${home}/.config/others`);
  removeStatePaths(paths, created, { purge: true, ...NOT_SHARED });
  assert.deepEqual(readdirSync(home), []);
});

test('findPathsToCreate() resolves links inside the tree, never on the machine that builds it', () => {
  using dir = new TempDir();
  using outside = new TempDir();
  const paths = pathsInFolder(dir.path);
  symlinkSync('/run', `${dir.path}/var/run`);
  mkdirSync(`${outside.path}/there`);
  mkdirSync(`${dir.path}${outside.path}`, { recursive: true });
  symlinkSync(outside.path, `${dir.path}/var/away`);
  symlinkSync('/nowhere', `${dir.path}/var/dangling`);
  const made = ['/var/run/web/a', '/var/away/there', '/var/dangling/a', '/var/lib/web', '/etc'];
  const expected = [`${outside.path}/there`, '/run/web', '/run/web/a', '/var/lib/web'];
  assert.deepEqual(findPathsToCreate(paths, made, new Set()), expected.sort());
  assert.ok(lstatSync(`${dir.path}/var/dangling`).isSymbolicLink());
});
