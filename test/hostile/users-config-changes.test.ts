import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { resolveHostPaths } from '../../src/config/host-paths.js';
import { loadConfigChanges } from '../../src/containers/config-changes.js';
import { assertFails } from '../support/assert-fails.js';
import { TempDir } from '../support/temp-dir.js';

// Who may write the changes of a user's container decides what runs as that user.

const USER = 1000;
const OTHER = 1001;

test("a user's changes are taken from the user and root alone", async () => {
  using dir = new TempDir();
  chmodSync(dir.path, 0o755);
  const folder = `${dir.path}/.config/berth/config.d`;
  const file = `${folder}/web.json`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, '{"hostname":"x"}');
  const env = { HOME: dir.path, XDG_RUNTIME_DIR: `${dir.path}/run` };
  const paths = resolveHostPaths({ mode: 'user', env });
  process.seteuid?.(USER);
  try {
    assert.deepEqual(Object.keys((await loadConfigChanges(paths, 'web'))?.patch ?? {}), [
      'hostname',
    ]);
    for (const path of [file, folder]) {
      const set = (owner: number, mode: number): void => {
        process.seteuid?.(0);
        chownSync(path, owner, owner);
        chmodSync(path, mode);
        process.seteuid?.(USER);
      };
      set(USER, 0o755);
      assert.ok(await loadConfigChanges(paths, 'web'), `${path} is the user's own`);
      for (const [owner, mode] of [
        [OTHER, 0o755],
        [USER, 0o775],
        [USER, 0o757],
      ] as const) {
        set(owner, mode);
        const error = await assertFails('CONFIG_INVALID', () => loadConfigChanges(paths, 'web'));
        assert.match(error.message, /can be written by others than you \(owner/);
      }
      set(USER, 0o755);
    }
  } finally {
    process.seteuid?.(0);
  }
});
