import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ErrorCode } from '../../../src/errors/catalogue.js';
import { parseRuntimeConfig } from '../../../src/oci/parse-runtime-config.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { runtimeConfigDocument, type ConfigChanges } from '../../support/runtime-config.js';

const parse = (document: unknown): ReturnType<typeof parseRuntimeConfig> =>
  parseRuntimeConfig(JSON.stringify(document));

test("parseRuntimeConfig() takes 2016's way to ask for no system call filter", () => {
  for (const syscalls of [undefined, null, []]) {
    const seccomp = { defaultAction: '', architectures: null, syscalls };
    const config = parse(runtimeConfigDocument({ linux: { seccomp } }));
    assert.equal(config.linux.seccomp, undefined);
  }
});

test('parseRuntimeConfig() lifts a document of draft 0.3', () => {
  const config = parse({
    ociVersion: '0.3.0',
    platform: { os: 'linux', arch: 'amd64' },
    process: { terminal: false, user: {}, args: ['/bin/x'], cwd: '/' },
    root: { path: 'rootfs', readonly: true },
    hooks: {},
    mounts: null,
    linux: {
      capabilities: ['CAP_KILL'],
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      selinuxProcessLabel: 'system_u:system_r:x_t:s0',
      apparmorProfile: '',
      devices: null,
      namespaces: [{ type: 'PID' }, { type: 'net' }, { type: 'mnt' }],
      resources: { disableOOMKiller: true, oomScoreAdj: 7 },
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ name: 'read', action: 'SCMP_ACT_TRAP' }],
      },
    },
  });
  assert.deepEqual(config.process.capabilities?.ambient, ['CAP_KILL']);
  assert.deepEqual(config.process.capabilities.bounding, ['CAP_KILL']);
  assert.deepEqual(config.process.rlimits, [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 1024 }]);
  assert.equal(config.process.selinuxLabel, 'system_u:system_r:x_t:s0');
  assert.equal(config.process.apparmorProfile, undefined);
  assert.equal(config.process.oomScoreAdj, 7);
  assert.deepEqual(config.process.user, {
    uid: 0,
    gid: 0,
    umask: undefined,
    additionalGids: [],
    username: undefined,
  });
  assert.deepEqual(
    config.linux.namespaces.map(({ type }) => type),
    ['pid', 'network', 'mount'],
  );
  assert.equal(config.linux.resources.memory.disableOOMKiller, true);
  assert.deepEqual(config.linux.seccomp?.syscalls[0]?.names, ['read']);
  assert.deepEqual([config.mounts, config.linux.devices, config.hooks], [[], [], []]);
});

test('parseRuntimeConfig() prefers the form of today where both stand', () => {
  const config = parse(
    runtimeConfigDocument({
      process: { capabilities: { bounding: ['CAP_CHOWN'] }, rlimits: [] },
      linux: { capabilities: ['CAP_KILL'], rlimits: [{ type: 'RLIMIT_CORE', soft: 1, hard: 1 }] },
    }),
  );
  assert.deepEqual(config.process.capabilities?.bounding, ['CAP_CHOWN']);
  assert.deepEqual(config.process.rlimits, []);
});

test('parseRuntimeConfig() ignores what it does not know', () => {
  assert.doesNotThrow(() =>
    parse({ ...runtimeConfigDocument(), windows: {}, zos: 1, process_: null, vm: { x: [] } }),
  );
});

each<{ name: string; changes: ConfigChanges; path: RegExp }>(
  'C26 parseRuntimeConfig() refuses, with the path',
  [
    { name: 'no arguments', changes: { process: { args: [] } }, path: /'process\.args'/ },
    {
      name: 'arguments that are no list',
      changes: { process: { args: 'x' } },
      path: /'process\.args'/,
    },
    {
      name: 'a number among them',
      changes: { process: { args: ['x', 1] } },
      path: /'process\.args\[1\]'/,
    },
    {
      name: 'a NUL in a variable',
      changes: { process: { env: ['A=\0'] } },
      path: /'process\.env\[0\]'/,
    },
    { name: 'a relative cwd', changes: { process: { cwd: 'x' } }, path: /'process\.cwd'/ },
    {
      name: 'M27 a uid of 33 bits',
      changes: { process: { user: { uid: 4294967296 } } },
      path: /user\.uid/,
    },
    { name: 'M27 a negative uid', changes: { process: { user: { uid: -1 } } }, path: /user\.uid/ },
    { name: 'a uid as text', changes: { process: { user: { uid: '0' } } }, path: /user\.uid/ },
    {
      name: 'a uid with a fraction',
      changes: { process: { user: { uid: 1.5 } } },
      path: /user\.uid/,
    },
    {
      name: 'a group that does not fit',
      changes: { process: { user: { additionalGids: [-1] } } },
      path: /additionalGids\[0\]/,
    },
    {
      name: 'a limit that is a text',
      changes: { process: { rlimits: [{ type: 'RLIMIT_CORE', soft: '1', hard: 1 }] } },
      path: /rlimits\[0\]\.soft/,
    },
    {
      name: 'a truth value that is a text',
      changes: { process: { noNewPrivileges: 'yes' } },
      path: /noNewPrivileges/,
    },
    {
      name: 'a mount without a destination',
      changes: { mounts: [{}] },
      path: /mounts\[6\]\.destination/,
    },
    {
      name: 'options that are a text',
      changes: { mounts: [{ destination: '/x', options: 'ro' }] },
      path: /mounts\[6\]\.options/,
    },
    {
      name: 'a user that is a list',
      changes: { process: { user: [] } },
      path: /process\.user/,
    },
    {
      name: 'an unknown device type',
      changes: { linux: { devices: [{ type: 'x', path: '/dev/x' }] } },
      path: /devices\[0\]\.type/,
    },
    {
      name: 'a rule with other letters',
      changes: { linux: { resources: { devices: [{ allow: true, access: 'rwx' }] } } },
      path: /devices\[0\]\.access/,
    },
    {
      name: 'a memory limit below -1',
      changes: { linux: { resources: { memory: { limit: -2 } } } },
      path: /memory\.limit/,
    },
    {
      name: 'M07 a limit that cannot be represented',
      changes: { linux: { resources: { memory: { limit: 2 ** 53 } } } },
      path: /memory\.limit/,
    },
    { name: 'no root', changes: { root: undefined }, path: /root\.path/ },
    {
      name: 'a version that does not exist yet',
      changes: { ociVersion: '7.0.0' },
      path: /ociVersion/,
    },
    { name: 'a version before the drafts', changes: { ociVersion: '0.2.0' }, path: /ociVersion/ },
  ],
  async ({ changes, path }) => {
    const error = await assertFails('RUNTIME_CONFIG_INVALID', () =>
      parse(runtimeConfigDocument(changes)),
    );
    assert.match(error.message, path);
  },
);

each<{ name: string; text: string; code: ErrorCode }>(
  'parseRuntimeConfig() refuses the text',
  [
    { name: 'that is not JSON', text: '{', code: 'JSON_INVALID' },
    { name: 'M04 with a key twice', text: '{"a":1,"a":2}', code: 'JSON_INVALID' },
    {
      name: 'M05 with keys that Go takes for the same',
      text: '{"process":{},"Process":{}}',
      code: 'JSON_INVALID',
    },
    { name: 'M11 with something after it', text: '{} {}', code: 'JSON_INVALID' },
    { name: 'that is a list', text: '[]', code: 'RUNTIME_CONFIG_INVALID' },
    { name: 'that is null', text: 'null', code: 'RUNTIME_CONFIG_INVALID' },
    { name: 'that is too large', text: ' '.repeat(1_100_000), code: 'LIMIT_EXCEEDED' },
  ],
  async ({ text, code }) => {
    await assertFails(code, () => parseRuntimeConfig(text));
  },
);

test('M06 parseRuntimeConfig() takes the names of prototypes as plain data', () => {
  const config = parseRuntimeConfig(
    JSON.stringify(runtimeConfigDocument()).replace(
      '{',
      '{"__proto__":{"hostname":"x"},"constructor":1,"annotations":{"__proto__":"a"},',
    ),
  );
  assert.equal(config.hostname, undefined);
  assert.equal(({} as { hostname?: string }).hostname, undefined);
});
