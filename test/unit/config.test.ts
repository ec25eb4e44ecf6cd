import assert from 'node:assert/strict';
import { test } from 'node:test';

import { resolveHostPaths } from '../../src/config/host-paths.js';
import { assertFails } from '../support/assert-fails.js';

test('resolveHostPaths() has the places of system mode', () => {
  const paths = resolveHostPaths({ mode: 'system', env: {} });
  assert.equal(paths.storeDir, '/var/lib/berth/.store');
  assert.equal(paths.unitDir, '/etc/systemd/system');
  assert.equal(paths.onDisk('/etc/x'), '/etc/x');
});

test('resolveHostPaths() puts a tree in front for access only', () => {
  const paths = resolveHostPaths({ mode: 'system', root: '/mnt/tree', env: {} });
  assert.equal(paths.stateDir, '/var/lib/berth');
  assert.equal(paths.onDisk(paths.stateDir), '/mnt/tree/var/lib/berth');
});

test('resolveHostPaths() has the places of user mode', () => {
  const env = { HOME: '/home/u', XDG_RUNTIME_DIR: '/run/user/1000' };
  const paths = resolveHostPaths({ mode: 'user', env });
  assert.equal(paths.stateDir, '/home/u/.local/share/berth');
  assert.deepEqual(paths.templateDirectories, {
    state: '/home/u/.local/state/berth',
    configuration: '/home/u/.config/berth/etc',
    run: '/run/user/1000/berth-run',
  });
  assert.equal(paths.unitDir, '/home/u/.config/systemd/user');
  assert.equal(paths.runDir, '/run/user/1000/berth');
});

test('resolveHostPaths() lets the environment move each place, by absolute paths only', async () => {
  const paths = resolveHostPaths({
    mode: 'system',
    env: { BERTH_STATE_DIR: '/srv/berth', BERTH_UNIT_DIR: '/run/units' },
  });
  assert.equal(paths.journalDir, '/srv/berth/.journal');
  assert.equal(paths.unitDir, '/run/units');
  await assertFails('CONFIG_INVALID', () =>
    resolveHostPaths({ mode: 'system', env: { BERTH_STATE_DIR: 'x' } }),
  );
});

test('P02 resolveHostPaths() refuses places that no unit can name', async () => {
  for (const HOME of [
    '/home/u\nExecStart=/evil',
    '/home/\ufffd',
    '/home/\u007f',
    "/a'b",
    '/a"',
    '/a\\b',
    '/$a',
  ])
    await assertFails('CONFIG_INVALID', () =>
      resolveHostPaths({ mode: 'user', env: { HOME, XDG_RUNTIME_DIR: '/run/user/1000' } }),
    );
});

test('resolveHostPaths() says what user mode misses', async () => {
  await assertFails('CONFIG_INVALID', () =>
    resolveHostPaths({ mode: 'user', env: { XDG_RUNTIME_DIR: '/run/user/1000' } }),
  );
  await assertFails('SYSTEMD_UNAVAILABLE', () =>
    resolveHostPaths({ mode: 'user', env: { HOME: '/home/u' } }),
  );
});
