import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import {
  listContainerNamesNow,
  listStateNames,
  listStateNamesWith,
} from '../../../src/containers/state-entries.js';
import { resolveHostPaths } from '../../../src/config/host-paths.js';
import { TempDir } from '../../support/temp-dir.js';

/** Longer than the clock of a file system stands still. */
const SETTLED_MS = 30;

test('what comes into the state directory, goes and changes its name is seen at once', async () => {
  using dir = new TempDir();
  const paths = resolveHostPaths({ mode: 'system', root: dir.path, env: {} });
  const at = (name: string): string => `${dir.path}/var/lib/berth/${name}`;
  const look = (): string => listContainerNamesNow(paths).join(' ');
  assert.equal(look(), '');
  mkdirSync(at('web.0'), { recursive: true });
  symlinkSync('web.0', at('web'));
  // Each change is looked at with and without a pause before it, within which what was read is kept.
  for (const pauseMs of [0, SETTLED_MS]) {
    const settle = async (): Promise<void> => {
      await delay(pauseMs);
      look();
    };
    await settle();
    symlinkSync('web.0', at('db'));
    assert.equal(look(), 'db web');
    await settle();
    renameSync(at('db'), at('etcd'));
    assert.equal(look(), 'etcd web');
    await settle();
    mkdirSync(at('web.1'));
    assert.deepEqual(listStateNamesWith(paths, 'web.'), ['web.0', 'web.1']);
    await settle();
    rmSync(at('web.1'), { recursive: true });
    rmSync(at('etcd'));
    assert.equal(look(), 'web');
    assert.deepEqual(listStateNames(paths), ['web', 'web.0']);
  }
});

test('listStateNamesWith() finds those that begin so, wherever they stand', () => {
  using dir = new TempDir();
  const paths = resolveHostPaths({ mode: 'system', root: dir.path, env: {} });
  const names = ['.new-a.0', 'a', 'a.0', 'a.1', 'a.10', 'a.b', 'a.b.0', 'ab.0', 'b', 'b.0'];
  for (const name of names) mkdirSync(`${dir.path}/var/lib/berth/${name}`, { recursive: true });
  assert.deepEqual(listStateNamesWith(paths, 'a.'), ['a.0', 'a.1', 'a.10', 'a.b', 'a.b.0']);
  assert.deepEqual(listStateNamesWith(paths, '.new-a.'), ['.new-a.0']);
  assert.deepEqual(listStateNamesWith(paths, 'b.'), ['b.0']);
  assert.deepEqual(listStateNamesWith(paths, 'aa'), []);
  assert.deepEqual(listStateNamesWith(paths, 'z'), []);
});
