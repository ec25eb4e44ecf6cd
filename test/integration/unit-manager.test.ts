import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bootHost } from '../support/booted-host.js';
import { each } from '../support/each.js';
import { suites } from '../support/suites.js';

const rows = suites.map((suite) => ({ name: suite, suite }));

each('the unit manager keeps its contract over D-Bus', rows, async ({ suite }) => {
  await using host = await bootHost({ suite });
  const run = await host.run([
    'node',
    '--test',
    '/opt/berth/dist/test/contract/dbus-unit-manager.js',
  ]);
  assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
  const passed = Number(/^# pass (\d+)$/m.exec(run.stdout)?.[1]);
  assert.ok(passed >= 20, `expected all cases to run, got ${passed}`);
});

test('a host without a bus is told apart from one without systemd', async () => {
  await using host = await bootHost({ suite: 'bookworm', withoutBus: true });
  const connect = `
    import { connectUnitManager } from '/opt/berth/dist/src/systemd/connect-unit-manager.js';
    await connectUnitManager({ mode: 'system' }).catch((error) => {
      console.log(error.code, error.exitStatus, error.message);
    });`;
  const node = ['node', '--input-type=module', '--eval', connect];
  assert.equal(
    (await host.runOk(node)).trim(),
    "SYSTEMD_UNAVAILABLE 69 there is no system bus at '/run/dbus/system_bus_socket'",
  );
  const hidden = ['unshare', '--mount', 'sh', '-c', 'umount -l /run && exec "$@"', 'sh', ...node];
  assert.equal(
    (await host.runOk(hidden)).trim(),
    'SYSTEMD_UNAVAILABLE 69 this system was not booted with systemd',
  );
});
