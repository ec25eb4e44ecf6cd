import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { parseContainerName } from '../../../src/base/container-name.js';
import type { ImageProcessDefaults } from '../../../src/oci/image-config.js';
import { buildDefaultConfig } from '../../../src/templates/default-config.js';
import {
  createDefaultExports,
  type DefaultExports,
} from '../../../src/templates/default-exports.js';
import { renderUnit } from '../../../src/templates/render-unit.js';
import { parseStopSignal } from '../../../src/templates/stop-signal.js';
import type { Values } from '../../../src/templates/values.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { imageConfigOf } from '../../support/image-config.js';
import { projectRoot } from '../../support/cache-folder.js';
import { valuesOf } from '../../support/template-values.js';

const name = parseContainerName('web');

/** What links of the image lead to. */
const LINKS = new Map([
  ['/var/run/web', '/run/web'],
  ['/all', '/'],
  ['/odd', '/a\nb'],
]);

function exportsOf(
  changes: Partial<ImageProcessDefaults>,
  labels: Readonly<Record<string, string>> = {},
): DefaultExports {
  return createDefaultExports({
    image: imageConfigOf(changes, labels),
    name,
    imageName: 'registry.example/web',
    serviceTemplate: readFileSync(`${projectRoot}/unit-templates/container.service.hbs`, 'utf8'),
    mode: 'system',
    cpuCount: 1,
    resolveVolume: (volume) => LINKS.get(volume) ?? volume,
  });
}

function withHostValues(exports: DefaultExports): Values {
  return valuesOf({
    ...Object.fromEntries(exports.manifest.defaultValues),
    NAME: 'web',
    IMAGE_NAME: 'registry.example/web:1',
    DESTDIR: '/var/lib/berth/web',
    STATE_DIRECTORY: '/var/lib',
    EXEC_START: '/launch /plan',
  });
}

function unitOf(
  changes: Partial<ImageProcessDefaults>,
  labels: Readonly<Record<string, string>> = {},
): string {
  const exports = exportsOf(changes, labels);
  return renderUnit(exports.service, withHostValues(exports));
}

function configOf(changes: Partial<ImageProcessDefaults>): {
  process: Record<string, unknown>;
  mounts: { destination: string; source: string; options: string[] }[];
  annotations: Record<string, string>;
} {
  const { config } = buildDefaultConfig({
    image: imageConfigOf(changes),
    name,
    stateDirectory: '/var/lib',
    cpuCount: 2,
  });
  return JSON.parse(JSON.stringify(config)) as ReturnType<typeof configOf>;
}

test('createDefaultExports() gives the whole unit of a plain image', () => {
  assert.equal(
    unitOf({}),
    `# Made by berth for registry.example/web:1, an image that brings no unit of its own.
# Own settings belong into a drop-in: systemctl edit web
[Unit]
Description=registry.example/web
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart=/launch /plan
SuccessExitStatus=143
Restart=on-failure
WorkingDirectory=/var/lib/berth/web
SyslogIdentifier=web

[Install]
WantedBy=multi-user.target
`,
  );
});

each(
  'createDefaultExports() takes into the unit',
  [
    {
      name: 'the stop signal',
      changes: { stopSignal: 'SIGQUIT' },
      labels: {},
      want: 'KillSignal=SIGQUIT\nSuccessExitStatus=SIGQUIT\nSuccessExitStatus=131\n',
    },
    {
      name: 'title and description',
      changes: {},
      labels: {
        'org.opencontainers.image.title': 'Web',
        'org.opencontainers.image.description': '50% faster',
      },
      want: 'Description=Web: 50%% faster\n',
    },
    {
      name: 'an address',
      changes: {},
      labels: { 'org.opencontainers.image.url': 'https://web.example/a%20b' },
      want: 'Documentation=https://web.example/a%%20b\n',
    },
    {
      name: 'P02 one line of a label that has several',
      changes: {},
      labels: { 'org.opencontainers.image.title': 'a\n[Service]\nExecStart=/evil\\' },
      want: 'Description=a [Service] ExecStart=/evil/\n',
    },
  ],
  ({ changes, labels, want }) => {
    assert.ok(unitOf(changes, labels).includes(want), unitOf(changes, labels));
  },
);

test('createDefaultExports() fills volumes once, each in a place of its own', () => {
  const exports = exportsOf({ volumes: ['/data', '/a/b', '/a-b'] });
  assert.equal(
    exports.renderTmpfiles(withHostValues(exports)),
    `d /var/lib/web :0700 - - - -
C /var/lib/web/data - - - - /var/lib/berth/web/rootfs/data
C /var/lib/web/a-b - - - - /var/lib/berth/web/rootfs/a/b
C /var/lib/web/a%%2db - - - - /var/lib/berth/web/rootfs/a-b
`,
  );
  const config = exports.renderConfig(withHostValues(exports));
  assert.match(config.text, /"source": "\/var\/lib\/web\/a%2db"/);
});

test('T27 createDefaultExports() keeps the volumes of a user from others', () => {
  const exports = exportsOf({ volumes: ['/data'] });
  const values = withHostValues(exports);
  const state = values.get('STATE_DIRECTORY');
  assert.ok(state);
  const ofUser = new Map([...values, ['HOST_UID', { ...state, text: '1000' }]]);
  assert.match(exports.renderTmpfiles(ofUser), /^d \/var\/lib\/web 0700 /);
});

each(
  'buildDefaultConfig() knows the user',
  [
    { name: 'none', user: '', want: { uid: 0, gid: 0 } },
    { name: 'numbers', user: '1000:1001', want: { uid: 1000, gid: 1001 } },
    {
      name: 'a number, whose group the image knows',
      user: '1000',
      want: { uid: 1000, gid: 0, username: '1000' },
    },
    { name: 'names', user: 'redis:redis', want: { uid: 0, gid: 0, username: 'redis:redis' } },
  ],
  ({ user, want }) => {
    assert.deepEqual(configOf({ user }).process['user'], want);
  },
);

each(
  'buildDefaultConfig() refuses',
  [
    { name: 'M27 a user of 2^32', changes: { user: '4294967296' } },
    { name: 'M27 a user of eleven digits, which is no name', changes: { user: '99999999999' } },
    { name: 'M27 a user of 2^31', changes: { user: '2147483648:0' } },
    { name: 'M27 a negative user', changes: { user: '-1' } },
    { name: 'M27 a blank before a number', changes: { user: ' 0' } },
    { name: 'M27 an empty group', changes: { user: '1000:' } },
    { name: 'M32 a volume with ..', changes: { volumes: ['/a/../../etc'] } },
    { name: 'M33 nothing to run', changes: { entrypoint: [] } },
    { name: 'M10 a NUL in an argument', changes: { cmd: ['a\0b'] } },
    { name: 'M10 a NUL in the environment', changes: { env: ['A=a\0b'] } },
  ],
  async ({ changes }) => {
    await assertFails('IMAGE_CONFIG_INVALID', () => configOf(changes));
  },
);

test('createDefaultExports() refuses a stop signal that is none', async () => {
  await assertFails('IMAGE_CONFIG_INVALID', () => exportsOf({ stopSignal: 'SIGFOO' }));
});

test('buildDefaultConfig() keeps the one capability that a low port needs, for who is not root', () => {
  const capabilities = (user: string): unknown =>
    (
      configOf({ user, exposedPorts: ['80/tcp'] }).process['capabilities'] as Record<
        string,
        unknown
      >
    )['ambient'];
  assert.deepEqual(capabilities('www-data'), ['CAP_NET_BIND_SERVICE']);
  assert.deepEqual(capabilities(''), []);
  assert.equal(configOf({ user: 'www-data' }).process['noNewPrivileges'], true);
  assert.equal(configOf({ user: '0' }).process['noNewPrivileges'], false);
});

test('buildDefaultConfig() reports M30 variables without a value and adds a PATH', () => {
  const { config, warnings } = buildDefaultConfig({
    image: imageConfigOf({ env: ['A=1\n2', 'B', '=x'] }),
    name,
    stateDirectory: '/s',
    cpuCount: 1,
  });
  assert.match(JSON.stringify(config), /"env":\["PATH=[^"]*","A=1\\n2"\]/);
  assert.equal(warnings.length, 2);
});

each(
  'parseStopSignal() knows',
  [
    { name: 'SIGTERM', want: { name: 'SIGTERM', number: 15 } },
    { name: 'quit', want: { name: 'SIGQUIT', number: 3 } },
    { name: '9', want: { name: 'SIGKILL', number: 9 } },
    { name: 'SIGRTMIN+3', want: { name: 'SIGRTMIN+3', number: 37 } },
    { name: 'RTMAX-1', want: { name: 'SIGRTMIN+29', number: 63 } },
    { name: '0', want: undefined },
    { name: 'SIGRTMIN+31', want: undefined },
    { name: 'SIGNOPE', want: undefined },
    { name: '', want: undefined },
  ],
  ({ name: text, want }) => {
    assert.deepEqual(parseStopSignal(text), want);
  },
);

test('a volume is filled from where links of the image lead, inside the image', () => {
  const exports = exportsOf({ entrypoint: ['/web'], volumes: ['/var/run/web', '/data'] });
  const lines = exports.renderTmpfiles(withHostValues(exports)).split('\n');
  assert.deepEqual(lines.slice(1), [
    'C /var/lib/web/var-run-web - - - - /var/lib/berth/web/rootfs/run/web',
    'C /var/lib/web/data - - - - /var/lib/berth/web/rootfs/data',
    '',
  ]);
});

each(
  'T05 a volume is refused that links of the image lead to',
  [
    { name: 'all of it', volume: '/all' },
    { name: 'a name that no line can have', volume: '/odd' },
  ],
  async ({ volume }) => {
    const exports = exportsOf({ entrypoint: ['/web'], volumes: [volume] });
    await assertFails('IMAGE_CONFIG_INVALID', () =>
      Promise.resolve().then(() => exports.renderTmpfiles(withHostValues(exports))),
    );
  },
);
