import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseContainerName } from '../../../src/base/container-name.js';
import { ACTIVATOR_TYPES, type ActivatorType } from '../../../src/systemd/check-activation.js';
import { lintUnit } from '../../../src/systemd/check-unit.js';
import { parseUnit } from '../../../src/systemd/unit-text.js';
import { each } from '../../support/each.js';

function check(type: ActivatorType, text: string, name = 'web'): readonly string[] {
  return lintUnit(parseUnit(text), { name: parseContainerName(name), type }).map(
    ({ severity, line, message }) => `${severity} ${line}: ${message}`,
  );
}

each<{ name: string; type: ActivatorType; text: string; want: readonly string[] }>(
  'lintUnit() takes',
  [
    {
      name: 'a socket of every kind of address, and says where it listens',
      type: 'socket',
      text: '[Socket]\nListenStream=80\nListenStream=127.0.0.1:8080\nListenDatagram=[::1]:53\nListenStream=/run/web.sock\nListenSequentialPacket=@web\nListenStream=vsock::9\n[Install]\nWantedBy=sockets.target\n',
      want: [
        "notice 2: listens at '80' (ListenStream=)",
        "notice 3: listens at '127.0.0.1:8080' (ListenStream=)",
        "notice 4: listens at '[::1]:53' (ListenDatagram=)",
        "notice 5: listens at '/run/web.sock' (ListenStream=)",
        "notice 6: listens at '@web' (ListenSequentialPacket=)",
        "notice 7: listens at 'vsock::9' (ListenStream=)",
      ],
    },
    {
      name: 'a timer that names its service',
      type: 'timer',
      text: '[Timer]\nOnCalendar=daily\nPersistent=yes\nUnit=web.service\n[Install]\nWantedBy=timers.target\n',
      want: [],
    },
    {
      name: 'a timer that goes by the clock of the host',
      type: 'timer',
      text: '[Timer]\nOnClockChange=yes\nUnit=%N.service\n',
      want: [],
    },
    {
      name: 'a path',
      type: 'path',
      text: '[Path]\nDirectoryNotEmpty=/var/spool/web\n',
      want: [],
    },
    {
      name: 'one that wakes the host, and says so',
      type: 'timer',
      text: '[Timer]\nOnCalendar=daily\nWakeSystem=yes\n',
      want: ['notice 3: wakes the host from sleep'],
    },
    {
      name: 'commands and links of a socket, and says what they are',
      type: 'socket',
      text: '[Socket]\nListenStream=/run/web.sock\nSymlinks=/run/web.link\nExecStartPre=/bin/true\n',
      want: [
        "notice 2: listens at '/run/web.sock' (ListenStream=)",
        "notice 3: makes links to its socket: '/run/web.link'",
        "notice 4: runs on the host (ExecStartPre=): '/bin/true'",
      ],
    },
  ],
  ({ type, text, want }) => {
    assert.deepEqual(check(type, text), want);
  },
);

test('lintUnit() takes the service of an instance for that of its socket', () => {
  const text = '[Socket]\nListenStream=/run/web-%i.sock\nService=web@%i.service\n';
  assert.deepEqual(check('socket', text, 'web@'), [
    "notice 2: listens at '/run/web-%i.sock' (ListenStream=)",
  ]);
});

test('lintUnit() refuses a time that systemd would pass over', () => {
  const text = '[Timer]\nOnCalendar=\nOnCalendar=%i\nOnCalendar=daily\nOnCalendar=25:00\n';
  assert.deepEqual(check('timer', text), [
    "error 5: OnCalendar= expects hours from 0 to 23, not '25', got '25:00'",
  ]);
});

test('lintUnit() refuses a time from the boot on that systemd would pass over', () => {
  const text =
    '[Timer]\nOnBootSec=5min\nOnActiveSec=\nOnUnitActiveSec=%i\nOnStartupSec=soon\nOnUnitInactiveSec=5 mins\n';
  assert.deepEqual(check('timer', text), [
    "error 5: OnStartupSec= expects a time such as 90, 1min 30s or 2.5h, got 'soon'",
    "error 6: OnUnitInactiveSec= expects a time such as 90, 1min 30s or 2.5h, got '5 mins'",
  ]);
});

test('lintUnit() says of each type what it lacks', () => {
  const said = ACTIVATOR_TYPES.map((type) => check(type, '[Unit]\nDescription=x\n')[0]);
  assert.deepEqual(said, [
    'error 0: it listens at nothing: it has no ListenStream= or its like',
    'error 0: it never elapses: it has no OnCalendar= or its like',
    'error 0: it watches nothing: it has no PathExists= or its like',
  ]);
});
