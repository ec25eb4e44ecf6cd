import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { resolveHostPaths } from '../../../src/config/host-paths.js';
import { removeTimerStamps } from '../../../src/containers/timer-stamps.js';
import { TempDir } from '../../support/temp-dir.js';

const STAMPS = ['stamp-web.timer', 'stamp-web@a.timer', 'stamp-webs.timer'];

function makeStamps(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const file of STAMPS) writeFileSync(`${folder}/${file}`, '');
}

test('removeTimerStamps() removes those of the timers, of a template those of its instances', async () => {
  using dir = new TempDir();
  const folder = `${dir.path}/var/lib/systemd/timers`;
  makeStamps(folder);
  const paths = resolveHostPaths({ mode: 'system', env: {}, root: dir.path });
  await removeTimerStamps(paths, ['web.service', 'web.timer']);
  assert.deepEqual(readdirSync(folder).sort(), ['stamp-web@a.timer', 'stamp-webs.timer']);
  await removeTimerStamps(paths, ['web@.timer']);
  assert.deepEqual(readdirSync(folder), ['stamp-webs.timer']);
});

test('removeTimerStamps() leaves what a link of a tree leads to on the machine that builds it', async () => {
  using dir = new TempDir();
  makeStamps(`${dir.path}/machine/timers`);
  mkdirSync(`${dir.path}/tree/var/lib`, { recursive: true });
  symlinkSync(`${dir.path}/machine`, `${dir.path}/tree/var/lib/systemd`);
  const paths = resolveHostPaths({ mode: 'system', env: {}, root: `${dir.path}/tree` });
  await removeTimerStamps(paths, ['web.timer']);
  assert.deepEqual(readdirSync(`${dir.path}/machine/timers`).sort(), STAMPS);
});
