import assert from 'node:assert/strict';
import { chownSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { findUserSocket, socketOfAddress } from '../../../src/systemd/find-bus.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

each(
  'the socket of a bus address',
  [
    { name: 'a path', address: 'unix:path=/run/bus', socket: '/run/bus' },
    { name: 'with escapes', address: 'unix:path=/run/a%20%c3%a9', socket: '/run/a é' },
    { name: 'with a guid before', address: 'unix:guid=00,path=/x', socket: '/x' },
    {
      name: 'the first that can be used',
      address: 'tcp:host=a;unix:path=/%zz;unix:path=/y',
      socket: '/y',
    },
  ],
  ({ address, socket }) => {
    assert.equal(socketOfAddress(address), socket);
  },
);

test('a bus address that cannot be used is refused', async () => {
  for (const address of ['', 'unix:abstract=x', 'unix:path=/%ff', 'unix:path=/%', 'autolaunch:']) {
    await assertFails('SYSTEMD_UNAVAILABLE', () => socketOfAddress(address));
  }
});

test("H02 the bus of another user, whose address su and sudo keep, is not the user's", async () => {
  using folder = new TempDir();
  const socket = `${folder.path}/bus`;
  writeFileSync(socket, '');
  const environment = { DBUS_SESSION_BUS_ADDRESS: `unix:path=${socket}` };
  assert.equal(findUserSocket({ environment }), socket);
  chownSync(socket, 1001, 1001);
  await assertFails('SYSTEMD_UNAVAILABLE', () => findUserSocket({ environment }));
});
