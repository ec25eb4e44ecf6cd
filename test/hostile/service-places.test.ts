import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { parseContainerName } from '../../src/base/container-name.js';
import { pathsOfService } from '../../src/containers/service-places.js';
import { assertUnitPaths } from '../../src/containers/unit-paths.js';
import { parseUnit } from '../../src/systemd/unit-text.js';
import { assertFails } from '../support/assert-fails.js';
import { deploymentRecord } from '../support/deployment-record.js';
import { each } from '../support/each.js';
import { folderHost } from '../support/folder-host.js';
import { TempDir } from '../support/temp-dir.js';
import { valuesOf } from '../support/template-values.js';

// What a service has systemd make, open and remove, as root, without running anything.

interface Attempt {
  /** Lines of [Service]. */
  readonly text: string;
  readonly allowHostPaths?: readonly string[];
  /** Values that the image gives by itself. */
  readonly defaults?: Readonly<Record<string, string>>;
  readonly writable?: readonly string[];
}

/** A host that has /var/lib/other, /run/other and /run/other.pid. */
async function check(
  { text, allowHostPaths = [], defaults = {}, writable = [] }: Attempt,
  installed?: string,
): Promise<void> {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  for (const folder of ['var/lib/other', 'run/other', 'var/lib/berth/web.1'])
    mkdirSync(join(dir.path, folder), { recursive: true });
  writeFileSync(join(dir.path, 'run/other.pid'), '1\n');
  if (installed !== undefined)
    writeFileSync(join(dir.path, 'var/lib/berth/web.1/web.service'), `[Service]\n${installed}`);
  await assertUnitPaths(host, {
    name: parseContainerName('web'),
    unit: 'web.service',
    document: parseUnit(`[Service]\n${text}`),
    values: new Map(
      [...valuesOf(defaults)].map(([name, value]) => [name, { ...value, source: 'default' }]),
    ),
    allowHostPaths,
    writable,
    installed:
      installed === undefined
        ? undefined
        : deploymentRecord({ name: 'web', number: 1, units: ['web.service'] }),
    pathsOf: pathsOfService,
  });
}

interface Row extends Attempt {
  readonly name: string;
  readonly code: 'UNIT_INVALID' | 'HOST_PATH_REFUSED' | 'HOST_FILE_EXISTS';
  readonly message: RegExp;
}

each<Row>(
  'H02 a service is refused that would have',
  [
    {
      name: 'a file of the host removed when it stops',
      text: 'PIDFile=/etc/shadow\n',
      code: 'HOST_PATH_REFUSED',
      message: /'\/etc\/shadow' on the host, refusing: .* who may log in/,
    },
    {
      name: 'the pid file of another removed',
      text: 'PIDFile=other.pid\n',
      code: 'HOST_FILE_EXISTS',
      message: /'\/run\/other\.pid' \(PIDFile=\)/,
    },
    {
      name: 'a pid file that the image has by a default of its own',
      text: 'PIDFile=/run/other.pid\n',
      defaults: { PIDFILE: '/run/other.pid' },
      code: 'HOST_FILE_EXISTS',
      message: /PIDFile=/,
    },
    {
      name: 'the folder of another given to its user, with all in it',
      text: 'User=nobody\nStateDirectory=web other\n',
      code: 'HOST_FILE_EXISTS',
      message: /'\/var\/lib\/other' \(StateDirectory=\)/,
    },
    {
      name: 'the folder of another removed when it stops',
      text: 'RuntimeDirectory=other\n',
      code: 'HOST_FILE_EXISTS',
      message: /'\/run\/other'/,
    },
    {
      name: 'a folder of the service manager',
      text: 'RuntimeDirectory=systemd/system\n',
      code: 'HOST_PATH_REFUSED',
      message: /belongs to the service manager/,
    },
    {
      name: 'a link to a folder of its own where programs of root look',
      text: 'RuntimeDirectory=web/x:udev/rules.d\n',
      code: 'HOST_PATH_REFUSED',
      message: /'\/run\/udev\/rules\.d'/,
    },
    {
      name: 'a folder below a link of its own',
      text: 'StateDirectory=web/data/x/y\n',
      writable: ['/var/lib/web/data'],
      code: 'HOST_PATH_REFUSED',
      message: /could put a link in the place of '\/var\/lib\/web\/data\/x'/,
    },
    {
      name: 'what it prints written into a file of root',
      text: 'StandardOutput=append:/etc/cron.d/web\n',
      code: 'HOST_PATH_REFUSED',
      message: /is loaded or run by programs of root/,
    },
    {
      name: 'what it prints written through a link of its own',
      text: 'StandardError=truncate:/var/lib/web/log\n',
      writable: ['/var/lib/web'],
      code: 'HOST_PATH_REFUSED',
      message: /could put a link in the place of '\/var\/lib\/web\/log'/,
    },
    {
      name: 'a file of the host opened for it',
      text: 'OpenFile=/srv/keys:keys:read-only\n',
      code: 'HOST_PATH_REFUSED',
      message: /opened by root and given to the container \(OpenFile=\)/,
    },
    {
      name: 'a file of the host as its input',
      text: 'StandardInput=file:/srv/keys\n',
      code: 'HOST_PATH_REFUSED',
      message: /\(StandardInput=\)/,
    },
    {
      name: 'a file of the host removed, said before what systemd cannot read',
      text: `PIDFile=/etc/shadow\nPIDFile=/run/web/${'x'.repeat(5000)}\n`,
      code: 'HOST_PATH_REFUSED',
      message: /'\/etc\/shadow' on the host, refusing/,
    },
    {
      name: 'a file made to mount something on, by which nobody may log in',
      text: 'BindPaths=/srv/x:/etc/nologin\n',
      code: 'HOST_PATH_REFUSED',
      message: /'\/etc\/nologin' made on the host .* who may log in/,
    },
    {
      name: 'a folder made in the place of a file that the loader reads',
      text: 'TemporaryFileSystem=/srv /etc/ld.so.preload:ro\n',
      code: 'HOST_PATH_REFUSED',
      message: /'\/etc\/ld\.so\.preload' made on the host/,
    },
    {
      name: 'a folder made to mount a file system on',
      text: 'MountImages=/srv/x.raw:/etc/sudoers.d/x\n',
      code: 'HOST_PATH_REFUSED',
      message: /'\/etc\/sudoers\.d\/x' made on the host/,
    },
    {
      name: 'a path that only systemd could tell',
      text: 'StateDirectory=%H\n',
      code: 'UNIT_INVALID',
      message: /cannot tell what '%H' is/,
    },
  ],
  async ({ code, message, ...attempt }) => {
    const error = await assertFails(code, () => check(attempt));
    assert.match(error.message, message);
  },
);

const LENT = ['/run/web', '/var/lib/web/data'];

each<{ name: string; text: string; path: string }>(
  'H06 of what its container writes, a service has root take nothing:',
  [
    { name: 'variables', text: 'EnvironmentFile=-/run/web/env\n', path: '/run/web/env' },
    {
      name: 'variables of many files',
      text: 'EnvironmentFile=%t/web/*.env\n',
      path: '/run/web/*.env',
    },
    {
      name: 'variables, forgotten again',
      text: 'EnvironmentFile=/run/web/env\nEnvironmentFile=\n',
      path: '/run/web/env',
    },
    { name: 'a credential', text: 'LoadCredential=x:/run/web/link\n', path: '/run/web/link' },
    { name: 'credentials of a folder', text: 'LoadCredential=x:/run/web\n', path: '/run/web' },
    {
      name: 'an encrypted one',
      text: 'LoadCredentialEncrypted=x:/run/web/x\n',
      path: '/run/web/x',
    },
    {
      name: 'a folder',
      text: 'BindReadOnlyPaths=/srv -/var/run/web/x:/opt:rbind\n',
      path: '/run/web/x',
    },
    {
      name: 'a root',
      text: 'RootDirectory=/var/lib/web/data/root\n',
      path: '/var/lib/web/data/root',
    },
    { name: 'a file system', text: 'MountImages=/run/web/disk:/opt\n', path: '/run/web/disk' },
    {
      name: 'a program',
      text: 'ExecStartPre=-+/var/lib/web/data/hook x\n',
      path: '/var/lib/web/data/hook',
    },
    {
      name: 'a second program',
      text: 'ExecStop=/bin/true ; @/run/web/hook hook\n',
      path: '/run/web/hook',
    },
    { name: 'a program in quotes', text: 'ExecStop="/run/web/hook" x\n', path: '/run/web/hook' },
    { name: 'a script', text: 'ExecReload=/bin/bash -e /run/web/hook\n', path: '/run/web/hook' },
    {
      name: 'a program after quotes',
      text: 'ExecStop=/bin/echo "a ; b" ; "/run/web/hook"\n',
      path: '/run/web/hook',
    },
    {
      name: 'a program between quotes that are none',
      text: 'ExecStop=/bin/echo \\" ; /run/web/hook \\"\n',
      path: '/run/web/hook',
    },
    {
      name: 'a script, past a variable in quotes',
      text: 'ExecReload=/usr/bin/env "A=b c" /run/web/hook\n',
      path: '/run/web/hook',
    },
    {
      name: 'a script, past variables',
      text: 'ExecReload=/usr/bin/env A=b /run/web/hook\n',
      path: '/run/web/hook',
    },
    {
      name: 'programs by their names',
      text: 'ExecSearchPath=/usr/bin:/run/web/bin\n',
      path: '/run/web/bin',
    },
    {
      name: 'the number of its process, when it was reloaded',
      text: 'PIDFile=/run/web/pid\nExecReload=/bin/true\n',
      path: '/run/web/pid',
    },
    {
      name: 'the number of its process',
      text: 'Type=forking\nPIDFile=web/pid\n',
      path: '/run/web/pid',
    },
  ],
  async ({ text, path }) => {
    const error = await assertFails('HOST_PATH_REFUSED', () => check({ text, writable: LENT }));
    assert.match(
      error.message,
      /has root take .* and the container may write in '\/(?:run|var\/lib)\/web/,
    );
    assert.ok(error.message.includes(`'${path}'`), error.message);
    await check({ text, writable: LENT, allowHostPaths: ['/run/web', '/run/web.pid', path] });
    // Where it has all of the host it gains nothing.
    await check({ text, writable: ['/run', ...LENT] });
  },
);

each<{ name: string; text: string }>(
  'a service whose container writes in a folder may have commands with',
  [
    {
      name: 'semicolons in quotes',
      text: `ExecStartPre=/bin/sh -c 'mkdir -p /x ; "$HOOK" ; true'\n`,
    },
    {
      name: 'variables in quotes',
      text: 'ExecReload=/usr/bin/env "A=b c" \'F="g"\' /usr/bin/hook "x y"\n',
    },
    {
      name: 'a second program with quotes',
      text: 'ExecStop=/bin/echo "a ; b" ; /bin/echo \'c\'\n',
    },
  ],
  async ({ text }) => {
    await check({ text, writable: LENT });
  },
);

test('T05 a service is refused that binds what may be a link of its image', async () => {
  const defaults = { DESTDIR: '/var/lib/berth/web' };
  const path = '/var/lib/berth/web/rootfs/x';
  for (const key of ['BindPaths', 'BindReadOnlyPaths']) {
    const text = `${key}=/srv/x ${path}:/opt\n`;
    const error = await assertFails('HOST_PATH_REFUSED', () => check({ text, defaults }));
    assert.match(error.message, /its image could have a link there/);
    await check({ text, defaults, allowHostPaths: [path] });
  }
  await check({ text: 'BindPaths=/var/lib/berth/web/rootfs:/opt\n', defaults });
});

test('H06 a word of which systemd takes quotes or backslashes away is none to take', async () => {
  for (const text of ['BindPaths=/r\\un/web/x:/opt\n', 'ExecStop=\\x2frun\\x2fweb\\x2fhook\n']) {
    const error = await assertFails('UNIT_INVALID', () => check({ text, writable: LENT }));
    assert.match(error.message, /quotes and backslashes are not taken there/);
  }
});

test("a service takes what is not its container's to write, and names what is", async () => {
  await check({
    text: `EnvironmentFile=-/etc/web/env
EnvironmentFile=/run/website/env
LoadCredential=x:/etc/web/key
BindPaths=/srv/x:/run/web
ExecStartPre=/bin/sh -c 'mkdir -p /run/web/x'
ExecStartPre=/bin/bash -ec "chown -R web /run/web"
ExecStartPre=/usr/bin/chown web /run/web
ExecStartPre=/usr/bin/env PATH=/bin mkdir /run/web
PIDFile=/run/web/pid
`,
    writable: LENT,
  });
});

test('what is there, or no guarded place, may have something mounted on it in the view of a service', async () => {
  await check({
    text: `TemporaryFileSystem=/run /opt/x:ro
BindPaths=/srv/x:/run/other.pid /srv/y -/srv/z:/opt/z:rbind
BindReadOnlyPaths=/srv/x:/etc/nologin
`,
    allowHostPaths: ['/etc/nologin'],
  });
});

test('what has its name, is free, was its own before, or is allowed, it may have', async () => {
  await check({
    text: `StateDirectory=web web/x
CacheDirectory=web
LogsDirectory=web:weblog
RuntimeDirectory=free
ConfigurationDirectory=web::ro
PIDFile=/run/web.pid
StandardInput=null
StandardOutput=append:/var/log/web/out
StandardError=journal
`,
  });
  await check({ text: 'PIDFile=/run/web/pid\nRuntimeDirectory=%N/a\n', writable: ['/run/web'] });
  // A container that has all of the host, as that of docker, gains nothing by a link.
  await check({ text: 'RuntimeDirectory=web/a\n', writable: ['/'] });
  const others = 'StateDirectory=other\nPIDFile=/run/other.pid\n';
  await check({ text: others }, others);
  await check({
    text: `${others}OpenFile=/etc/shadow\n`,
    allowHostPaths: ['/var/lib/other', '/run/other.pid', '/etc/shadow'],
  });
  await assert.rejects(check({ text: others }, 'PIDFile=/run/other.pid\n'), /other' \(State/);
});
