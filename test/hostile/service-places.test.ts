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
