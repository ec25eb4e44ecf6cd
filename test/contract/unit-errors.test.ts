import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OperationalError } from '../../src/errors/operational-error.js';
import { Bus } from '../../src/systemd/bus.js';
import { DBusUnitManager } from '../../src/systemd/dbus-unit-manager.js';
import { each } from '../support/each.js';
import { FakeSystemd } from '../support/fake-systemd.js';

test('what systemd may not do for root is told as what it is: no right is missing', async () => {
  await using fake = await FakeSystemd.start({
    DisableUnitFiles: (self, call) => {
      const name = 'org.freedesktop.DBus.Error.AccessDenied';
      self.fail(call, { name, text: 'Access denied' });
    },
  });
  const bus = await Bus.connect(fake.socket);
  await using units = new DBusUnitManager(bus, { mode: 'system', signal: undefined });
  await assert.rejects(units.disable(['web.service']), (error) => {
    assert.ok(error instanceof OperationalError);
    const isRoot = process.geteuid?.() === 0;
    assert.equal(error.code, isRoot ? 'SYSTEM_CALL_FAILED' : 'NEEDS_ROOT');
    assert.match(error.hint ?? '', isRoot ? /immutable \(lsattr .*chattr -i/ : /^$/);
    return true;
  });
});

each(
  'what the disk refuses to systemd ends as if it were refused to berth:',
  [
    { name: 'EROFS', code: 'SYSTEM_CALL_FAILED', status: 71, words: /read-only/ },
    { name: 'ENOSPC', code: 'DISK_FULL', status: 73, words: /no space left/ },
    { name: 'EDQUOT', code: 'DISK_FULL', status: 73, words: /quota/ },
  ],
  async ({ name, code, status, words }) => {
    await using fake = await FakeSystemd.start({
      DisableUnitFiles: (self, call) => {
        self.fail(call, { name: `System.Error.${name}`, text: 'refused' });
      },
    });
    const bus = await Bus.connect(fake.socket);
    await using units = new DBusUnitManager(bus, { mode: 'system', signal: undefined });
    await assert.rejects(units.disable(['web.service']), (error) => {
      assert.ok(error instanceof OperationalError);
      assert.deepEqual([error.code, error.exitStatus], [code, status]);
      assert.match(error.message, words);
      assert.match(error.message, /'web\.service'/);
      return true;
    });
  },
);
