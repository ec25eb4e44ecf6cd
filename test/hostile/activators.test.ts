import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { parseContainerName } from '../../src/base/container-name.js';
import { renderActivators } from '../../src/containers/render-activators.js';
import type { ActivatorType } from '../../src/systemd/check-activation.js';
import { parseTemplate } from '../../src/templates/parse-template.js';
import { assertFails } from '../support/assert-fails.js';
import { deploymentRecord } from '../support/deployment-record.js';
import { each } from '../support/each.js';
import { folderHost } from '../support/folder-host.js';
import { TempDir } from '../support/temp-dir.js';
import { valuesOf } from '../support/template-values.js';

// Sockets, timers and paths as an image may bring them: systemd makes their files as root, wherever they say.

const name = parseContainerName('web');

interface Attempt {
  readonly type: ActivatorType;
  readonly text: string;
  readonly allowHostPaths?: readonly string[];
  readonly values?: Readonly<Record<string, string>>;
  readonly writable?: readonly string[];
}

async function render(
  root: string,
  { type, text, allowHostPaths = [], values = {}, writable = [] }: Attempt,
  installed?: ReturnType<typeof deploymentRecord>,
): Promise<readonly string[]> {
  await using host = folderHost(root);
  const rendered = await renderActivators(host, {
    name,
    templates: new Map([[type, parseTemplate(`${type}.template`, text)]]),
    values: valuesOf(values),
    allowHostPaths,
    installed,
    writable,
  });
  return rendered.map((activator) => activator.text);
}

interface Row extends Attempt {
  readonly name: string;
  readonly code: 'UNIT_INVALID' | 'HOST_PATH_REFUSED' | 'HOST_FILE_EXISTS' | 'VALUE_INVALID';
  readonly message: RegExp;
}

const listen = (address: string): string => `[Socket]\nListenStream=${address}\n`;

each<Row>(
  'what starts a container is refused',
  [
    {
      name: 'P19 a socket for the service of another',
      type: 'socket',
      text: `${listen('80')}Service=ssh.service\n`,
      code: 'UNIT_INVALID',
      message: /line 3: Service=ssh\.service: it may start web\.service only/,
    },
    {
      name: 'P19 a timer for a unit of the host',
      type: 'timer',
      text: '[Timer]\nOnCalendar=daily\nUnit=poweroff.target\n',
      code: 'UNIT_INVALID',
      message: /it may start web\.service only/,
    },
    {
      name: 'P19 a path for a unit of the host, by a specifier',
      type: 'path',
      text: '[Path]\nPathExists=/\nUnit=systemd-%p.service\n',
      code: 'UNIT_INVALID',
      message: /it may start web\.service only/,
    },
    {
      name: 'P19 the name of a socket of the host',
      type: 'socket',
      text: `${listen('80')}[Install]\nAlias=dbus.socket\n`,
      code: 'UNIT_INVALID',
      message: /would take the name of another unit/,
    },
    {
      name: 'P19 a place early in the boot',
      type: 'timer',
      text: '[Timer]\nOnBootSec=1\n[Install]\nWantedBy=sysinit.target\n',
      code: 'UNIT_INVALID',
      message: /the host depends on that unit/,
    },
    {
      name: 'a service for each connection',
      type: 'socket',
      text: `${listen('80')}Accept=yes\n`,
      code: 'UNIT_INVALID',
      message: /Accept=yes needs a service of its own/,
    },
    {
      name: 'P17 an address that is none',
      type: 'socket',
      text: listen('localhost:80'),
      code: 'UNIT_INVALID',
      message: /expects a path, an abstract name .* got 'localhost:80'/,
    },
    {
      name: 'P17 a port that is none',
      type: 'socket',
      text: listen('127.0.0.1:65536'),
      code: 'UNIT_INVALID',
      message: /got '127\.0\.0\.1:65536'/,
    },
    {
      name: 'a path that is too long for a socket',
      type: 'socket',
      text: listen(`/run/${'x'.repeat(103)}`),
      code: 'UNIT_INVALID',
      message: /more than 107 bytes/,
    },
    {
      name: 'P17 a section of another type',
      type: 'timer',
      text: '[Timer]\nOnCalendar=daily\n[Service]\nExecStart=/bin/true\n',
      code: 'UNIT_INVALID',
      message: /the timer of 'web' is not acceptable: line 3: \['Service'\] is no section/,
    },
    {
      name: 'P18 a command that is a relative path',
      type: 'socket',
      text: `${listen('80')}ExecStartPre=bin/true\n`,
      code: 'UNIT_INVALID',
      message: /not an absolute path/,
    },
    {
      name: 'H02 a socket where the bus has its own',
      type: 'socket',
      text: listen('/run/dbus/system_bus_socket'),
      code: 'HOST_PATH_REFUSED',
      message: /belongs to the service manager/,
    },
    {
      name: 'H02 the same by its other name',
      type: 'socket',
      text: listen('/var/run/dbus/system_bus_socket'),
      code: 'HOST_PATH_REFUSED',
      message: /belongs to the service manager/,
    },
    {
      name: 'H02 the same by a specifier',
      type: 'socket',
      text: listen('%t/dbus/system_bus_socket'),
      code: 'HOST_PATH_REFUSED',
      message: /belongs to the service manager/,
    },
    {
      name: 'H02 a specifier whose path nobody knows',
      type: 'socket',
      text: listen('%T/web.sock'),
      code: 'UNIT_INVALID',
      message: /berth cannot tell what '%T' is there/,
    },
    {
      name: 'H02 a way out of its folder',
      type: 'socket',
      text: listen('/run/web/../dbus/system_bus_socket'),
      code: 'HOST_PATH_REFUSED',
      message: /'\.\.'/,
    },
    {
      name: 'H02 a fifo that cron would read',
      type: 'socket',
      text: '[Socket]\nListenFIFO=/etc/cron.d/web\n',
      code: 'HOST_PATH_REFUSED',
      message: /is loaded or run by programs of root/,
    },
    {
      name: 'H02 a device, past the rules for devices',
      type: 'socket',
      text: '[Socket]\nListenSpecial=/dev/mem\n',
      code: 'HOST_PATH_REFUSED',
      message: /\/dev is not a place/,
    },
    {
      name: 'H02 a file of its own, that the container may make a device or a link',
      type: 'socket',
      text: '[Socket]\nListenSpecial=/run/web/x\nWritable=yes\n',
      code: 'HOST_PATH_REFUSED',
      message: /'\/run\/web\/x' opened by root and given to the container \(ListenSpecial=\)/,
    },
    {
      name: 'H02 a folder that the container may put a link in place of',
      type: 'socket',
      text: listen('/run/web/deep/passwd'),
      writable: ['/run/web'],
      code: 'HOST_PATH_REFUSED',
      message: /may write in '\/run\/web': it could put a link in the place of '\/run\/web\/deep'/,
    },
    {
      name: 'H02 a guarded path in pieces of quotes',
      type: 'socket',
      text: `${listen('/run/web.sock')}Symlinks=/et"c/cron.d/web"\n`,
      code: 'UNIT_INVALID',
      message: /quotes and backslashes are not taken there/,
    },
    {
      name: 'H02 a folder that a path makes, said before what systemd cannot read',
      type: 'path',
      text: '[Path]\nPathChanged=/etc/systemd/system/ssh.service.d\nMakeDirectory=yes\nMakeDirectory=maybe\n',
      code: 'HOST_PATH_REFUSED',
      message: /belongs to the service manager/,
    },
    {
      name: 'H02 a link to its socket where programs of root look',
      type: 'socket',
      text: `${listen('/run/web.sock')}Symlinks=/run/web.link /run/systemd/notify\n`,
      code: 'HOST_PATH_REFUSED',
      message: /'\/run\/systemd\/notify'/,
    },
    {
      name: 'H02 a folder that a path makes',
      type: 'path',
      text: '[Path]\nDirectoryNotEmpty=/etc/sudoers.d/web\nMakeDirectory=yes\n',
      code: 'HOST_PATH_REFUSED',
      message: /decides who may log in/,
    },
    {
      name: 'H02 a folder that goes when the socket is stopped',
      type: 'socket',
      text: `${listen('80')}RuntimeDirectory=systemd\n`,
      code: 'HOST_PATH_REFUSED',
      message: /'\/run\/systemd' on the host, refusing: .*belongs to the service manager/,
    },
    {
      name: 'H02 the folder of another program',
      type: 'socket',
      text: `${listen('80')}RuntimeDirectory=other.sock\n`,
      code: 'HOST_FILE_EXISTS',
      message: /'\/run\/other\.sock' \(RuntimeDirectory=\)/,
    },
    {
      name: 'H02 a file that the output of its commands goes to',
      type: 'socket',
      text: `${listen('80')}ExecStartPre=/bin/true\nStandardOutput=append:/etc/cron.d/web\n`,
      code: 'HOST_PATH_REFUSED',
      message: /is loaded or run by programs of root/,
    },
    {
      name: 'H06 variables from where its container writes',
      type: 'socket',
      text: `${listen('80')}ExecStartPre=/bin/true\nEnvironmentFile=/run/web/env\n`,
      writable: ['/run/web'],
      code: 'HOST_PATH_REFUSED',
      message: /web\.socket has root take '\/run\/web\/env' \(EnvironmentFile=\)/,
    },
    {
      name: 'a socket that nobody could stop',
      type: 'socket',
      text: `[Unit]\nRefuseManualStop=yes\n${listen('80')}`,
      code: 'UNIT_INVALID',
      message: /line 2: RefuseManualStop=yes: nobody could stop it/,
    },
    {
      name: 'H01 a socket that another program has there',
      type: 'socket',
      text: listen('/run/other.sock'),
      code: 'HOST_FILE_EXISTS',
      message: /would take the place of '\/run\/other\.sock'/,
    },
    {
      name: 'P01 a value that would be more than its directive',
      type: 'socket',
      text: listen('$PORT'),
      values: { PORT: '80\nExecStartPre=/bin/evil' },
      code: 'VALUE_INVALID',
      message: /PORT/,
    },
    {
      name: 'P01 a value that leads elsewhere',
      type: 'socket',
      text: listen('$PORT'),
      values: { PORT: '/run/systemd/private' },
      code: 'HOST_PATH_REFUSED',
      message: /belongs to the service manager/,
    },
  ],
  async ({ code, message, ...attempt }) => {
    using dir = new TempDir();
    mkdirSync(`${dir.path}/run`, { recursive: true });
    writeFileSync(`${dir.path}/run/other.sock`, '');
    const error = await assertFails(code, () => render(dir.path, attempt));
    assert.match(error.message, message);
  },
);

test('what has its own name, or was allowed, may stand where something stands', async () => {
  using dir = new TempDir();
  mkdirSync(`${dir.path}/run`, { recursive: true });
  for (const path of ['web.sock', 'other.sock']) writeFileSync(`${dir.path}/run/${path}`, '');
  await render(dir.path, { type: 'socket', text: listen('/run/web.sock') });
  const writable = ['/run/web'];
  await render(dir.path, { type: 'socket', text: listen('/run/web/x.sock'), writable });
  const text = listen('/run/other.sock');
  await render(dir.path, { type: 'socket', text, allowHostPaths: ['/run/other.sock'] });
});

test('the file that its socket left is its own still', async () => {
  using dir = new TempDir();
  const text = listen('/run/other.sock');
  mkdirSync(`${dir.path}/run`, { recursive: true });
  writeFileSync(`${dir.path}/run/other.sock`, '');
  mkdirSync(`${dir.path}/var/lib/berth/web.0`, { recursive: true });
  writeFileSync(`${dir.path}/var/lib/berth/web.0/web.socket`, text);
  const installed = deploymentRecord({ name: 'web', units: ['web.service', 'web.socket'] });
  assert.deepEqual(await render(dir.path, { type: 'socket', text }, installed), [text]);
  const others = deploymentRecord({ name: 'web', units: ['web.service'] });
  await assertFails('HOST_FILE_EXISTS', () => render(dir.path, { type: 'socket', text }, others));
});
