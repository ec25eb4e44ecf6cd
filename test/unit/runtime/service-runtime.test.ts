import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createBuiltInRuntime } from '../../../src/runtime/built-in-runtime.js';
import { createForeignRuntime } from '../../../src/runtime/foreign-runtime.js';
import { execWord } from '../../../src/runtime/service-runtime.js';
import { formatSignal, parseSignal } from '../../../src/runtime/signals.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { runtimeConfig } from '../../support/runtime-config.js';

const etcd = { name: 'etcd', deployment: '/var/lib/berth/etcd' };
const own = { states: '/run/berth/.runtime', slice: 'system.slice' } as const;
const plan = { name: 'etcd', rootfs: '/var/lib/berth/etcd/rootfs' };

test('the built-in runtime starts the launcher and leaves stopping to systemd', () => {
  const runtime = createBuiltInRuntime({ launcher: '/usr/libexec/berth/launch' });
  const start = '/usr/libexec/berth/launch /var/lib/berth/etcd/launch.plan';
  assert.deepEqual(runtime.execLines(etcd), { start, stop: '', startPre: '', stopPost: '' });
  assert.equal(runtime.execLines({ ...etcd, instances: true }).start, `${start} %i`);
  assert.equal(runtime.execLines({ ...etcd, pidFile: '/run/etcd.pid' }).start, start);
  const { files } = runtime.prepare(runtimeConfig(), plan);
  assert.deepEqual(
    files.map(({ name }) => name),
    ['launch.plan'],
  );
});

test('N15 another runtime gets the lines that atomic wrote, with records of its own', () => {
  const runtime = createForeignRuntime('crun', own);
  assert.deepEqual(runtime.execLines(etcd), {
    start:
      '/usr/bin/crun --root /run/berth/.runtime --systemd-cgroup run --bundle /var/lib/berth/etcd etcd',
    stop: '/usr/bin/crun --root /run/berth/.runtime kill etcd TERM',
    startPre: '',
    stopPost: '',
  });
  assert.deepEqual(
    createForeignRuntime('/opt/runc', own).execLines({ ...etcd, pidFile: '/run/x.pid' }),
    {
      start:
        '/opt/runc --root /run/berth/.runtime --systemd-cgroup run --detach --pid-file /run/x.pid --bundle /var/lib/berth/etcd etcd',
      stop: '/opt/runc --root /run/berth/.runtime kill etcd TERM',
      startPre: '',
      stopPost: '/opt/runc --root /run/berth/.runtime delete --force etcd',
    },
  );
});

test('N15 another runtime gets a scope that no other container has, unless the image names one', () => {
  const runtime = createForeignRuntime('runc', own);
  const given = { process: { args: ['/x'] }, linux: { namespaces: [] } };
  assert.deepEqual(JSON.parse(runtime.configText(JSON.stringify(given), 'etcd')), {
    ...given,
    linux: { namespaces: [], cgroupsPath: 'system.slice:berth:etcd' },
  });
  const named = '{"linux": {"cgroupsPath": "machine.slice:a:b"}}';
  assert.equal(runtime.configText(named, 'etcd'), named);
  assert.equal(createBuiltInRuntime({ launcher: '/l' }).configText('{}', 'etcd'), '{}');
});

test('another runtime keeps its own limits, and the checks hold all the same', async () => {
  const runtime = createForeignRuntime('crun', own);
  const limits = { memory: { limit: 1000 }, devices: [] };
  const prepared = runtime.prepare(
    runtimeConfig({ linux: { resources: limits, namespaces: [{ type: 'mount' }] } }),
    plan,
  );
  assert.deepEqual(
    prepared.directives.filter(([section]) => section !== 'Unit'),
    [['Service', 'ExecStopPost', '-/usr/bin/crun --root /run/berth/.runtime delete --force etcd']],
  );
  assert.deepEqual(prepared.files, []);
  await assertFails('RUNTIME_UNSUPPORTED', () =>
    runtime.prepare(runtimeConfig({ hooks: { prestart: [{ path: '/x' }] } }), plan),
  );
  await assertFails('RUNTIME_UNSUPPORTED', () => runtime.execLines({ ...etcd, instances: true }));
});

each<{ name: string; runtime: string }>(
  'createForeignRuntime() refuses',
  [
    { name: 'a relative path', runtime: '../crun' },
    { name: 'more than one word', runtime: 'crun --debug' },
    { name: 'a line break', runtime: 'crun\nExecStartPre=/bin/x' },
    { name: 'nothing', runtime: '' },
  ],
  async ({ runtime }) => {
    await assertFails('USAGE', () => createForeignRuntime(runtime, own));
  },
);

each<{ name: string; text: string; want: string }>(
  'execWord() makes one word of',
  [
    { name: 'a plain path', text: '/usr/bin/x', want: '/usr/bin/x' },
    { name: 'a space', text: '/a b', want: '"/a b"' },
    { name: 'specifiers and variables', text: '/%n/$HOME', want: '/%%n/$$HOME' },
    { name: 'quotes and backslashes', text: 'a"b\\', want: '"a\\"b\\\\"' },
  ],
  ({ text, want }) => {
    assert.equal(execWord(text), want);
  },
);

each<{ name: string; number: number; formatted: string }>(
  'parseSignal() knows',
  [
    { name: 'SIGTERM', number: 15, formatted: 'SIGTERM' },
    { name: 'quit', number: 3, formatted: 'SIGQUIT' },
    { name: '28', number: 28, formatted: 'SIGWINCH' },
    { name: 'SIGRTMIN+3', number: 37, formatted: 'RTMIN+3' },
    { name: 'RTMAX-1', number: 63, formatted: 'RTMIN+29' },
    { name: 'SIGRTMAX', number: 64, formatted: 'RTMIN+30' },
  ],
  ({ name, number, formatted }) => {
    assert.equal(parseSignal(name), number);
    assert.equal(formatSignal(number), formatted);
  },
);

each<{ name: string }>(
  'parseSignal() refuses',
  [
    { name: '0' },
    { name: '65' },
    { name: 'SIGNOT' },
    { name: 'RTMIN+99' },
    { name: '' },
    { name: 'constructor' },
  ],
  async ({ name }) => {
    await assertFails('RUNTIME_CONFIG_INVALID', () => parseSignal(name));
  },
);
