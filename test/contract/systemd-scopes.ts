import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';

import type { CgroupRequest } from '../../src/runtime/cgroups/cgroup.js';
import { findCgroupHierarchy } from '../../src/runtime/cgroups/hierarchy.js';
import { openCgroup, systemdManager } from '../../src/runtime/cgroups/systemd-manager.js';
import { TransientScopes } from '../../src/systemd/transient-scopes.js';
import { assertFails } from '../support/assert-fails.js';
import { HostBundle } from '../support/host-bundle.js';
import { runtimeResources } from '../support/runtime-resources.js';

/* Run on a host that systemd has booted, with version 2. Without controllers, which a booted host of the tests lacks, it
 * still has a scope's life, devices, freezing and killing; on a whole machine limits too. */

const controllers = readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(' ');
const hasLimits = controllers.includes('memory');

const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill('SIGKILL');
});

function waiting(script: string): ChildProcess {
  const child = spawn('sh', ['-c', `read gate; ${script}`], { stdio: ['pipe', 'pipe', 'ignore'] });
  children.push(child);
  return child;
}

async function output(child: ChildProcess): Promise<string> {
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stdin?.end('\n');
  await once(child, 'close');
  return text;
}

const request = (child: ChildProcess, resources: object, path?: string): CgroupRequest => ({
  id: 'test',
  path,
  pid: child.pid ?? 0,
  resources: runtimeResources(resources),
});

test('a scope holds a container, and goes with it', async () => {
  await using scopes = await TransientScopes.connect({ mode: 'system', environment: process.env });
  const manager = systemdManager({ scopes, defaultSlice: 'system.slice' });
  const child = waiting('sleep 60 & sleep 60 & wait');
  const ended = once(child, 'close');
  const cgroup = await manager.create(request(child, {}, 'machine.slice:pod:one'));
  assert.equal(cgroup.place.scope, 'pod-one.scope');
  assert.equal(
    manager.plan({ id: 'test', path: 'machine.slice:pod:one', resources: runtimeResources({}) })
      .scope,
    'pod-one.scope',
  );
  const directory = cgroup.place.directories['unified'] ?? '';
  assert.match(directory, /machine\.slice\/pod-one\.scope$/);
  child.stdin?.end('\n');
  await cgroup.freeze();
  assert.ok(openCgroup(cgroup.place, scopes).isFrozen());
  await cgroup.thaw();
  const other = waiting('true');
  cgroup.join(other.pid ?? 0);
  assert.ok(cgroup.pids().includes(other.pid ?? -1));
  cgroup.kill(9);
  await ended;
  await cgroup.delete();
  assert.ok(!existsSync(directory), 'the cgroup is left');
  await cgroup.delete();
  // The same name again, at once.
  const next = waiting('true');
  const again = await manager.create(request(next, {}, 'machine.slice:pod:one'));
  await output(next);
  await again.delete();
});

test('a scope whose place was only written down is taken away', async () => {
  await using scopes = await TransientScopes.connect({ mode: 'system', environment: process.env });
  const manager = systemdManager({ scopes, defaultSlice: 'system.slice' });
  const child = waiting('true');
  const ended = once(child, 'close');
  const planned = manager.plan({ id: 'test', path: undefined, resources: runtimeResources({}) });
  assert.equal(planned.scope, 'berth-test.scope');
  await manager.create(request(child, {}));
  await openCgroup(planned, scopes).delete();
  await ended;
});

test('C31 device rules of a scope hold over a reload of systemd', async () => {
  await using scopes = await TransientScopes.connect({ mode: 'system', environment: process.env });
  const manager = systemdManager({ scopes, defaultSlice: 'system.slice' });
  const child = waiting(
    'systemctl daemon-reload; head -c1 /dev/zero | wc -c; for n in "tun c 10 200" "kmsg c 1 11"; do mknod /root/$n; (head -c0 /root/${n%% *}) && echo ${n%% *}; done; rm /root/tun /root/kmsg',
  );
  const tun = { allow: true, type: 'c', major: 10, minor: 200, access: 'rw' };
  const cgroup = await manager.create(request(child, { devices: [tun] }));
  const text = await output(child);
  assert.match(text, /^1$/m);
  assert.match(text, /^tun$/m, 'what is allowed is denied after a reload');
  assert.doesNotMatch(text, /^kmsg$/m, 'what is not allowed can be opened');
  await cgroup.delete();
});

test('a scope is refused for a path that is none, and for limits that are not there', async () => {
  await using scopes = await TransientScopes.connect({ mode: 'system', environment: process.env });
  const manager = systemdManager({ scopes, defaultSlice: 'system.slice' });
  const child = waiting('true');
  for (const path of ['/a/b', 'a.slice:b', 'a.slice:b:c/d', '../a.slice:b:c', 'a:b:c']) {
    await assertFails('RUNTIME_CONFIG_INVALID', () => manager.create(request(child, {}, path)));
  }
  const limits = { hugepageLimits: [{ pageSize: '3KB', limit: 1 }] };
  await assertFails('RUNTIME_UNSUPPORTED', () => manager.create(request(child, limits)));
  child.kill('SIGKILL');
});

test(
  'a scope that cannot be had does not wait for a process that is deaf',
  { timeout: 60_000 },
  async () => {
    await using scopes = await TransientScopes.connect({
      mode: 'system',
      environment: process.env,
    });
    const manager = systemdManager({ scopes, defaultSlice: 'system.slice' });
    const child = spawn('sh', ['-c', 'trap "" TERM; echo deaf; while :; do sleep 1; done']);
    children.push(child);
    await once(child.stdout, 'data');
    const ended = once(child, 'exit');
    const limits = { hugepageLimits: [{ pageSize: '3KB', limit: 1 }] };
    await assertFails('RUNTIME_UNSUPPORTED', () => manager.create(request(child, limits)));
    assert.deepEqual(await ended, [null, 'SIGKILL']);
  },
);

test('limits of version 2 take hold, and stay after a reload', async (t) => {
  if (!hasLimits) {
    t.diagnostic('there are no controllers');
    return;
  }
  assert.equal(findCgroupHierarchy().version, 2);
  await using scopes = await TransientScopes.connect({ mode: 'system', environment: process.env });
  const manager = systemdManager({ scopes, defaultSlice: 'system.slice' });
  const [major, minor] = deviceOf('/dev/vda');
  const child = waiting(
    'systemctl daemon-reload; head -c 60m /dev/zero | tail -c 50m >/dev/null; for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait',
  );
  const cgroup = await manager.create(
    request(child, {
      memory: { limit: 30_000_000, swap: 30_000_000, reservation: 1_000_000 },
      pids: { limit: 6 },
      cpu: { shares: 512, quota: 20_000, period: 50_000, cpus: '0', burst: 1000 },
      blockIO: { throttleWriteBpsDevice: [{ major, minor, rate: 1_000_000 }] },
      unified: { 'memory.min': '4096' },
    }),
  );
  const directory = cgroup.place.directories['unified'] ?? '';
  const read = (file: string): string => readFileSync(`${directory}/${file}`, 'utf8').trim();
  const wanted = {
    'memory.max': '29999104',
    'memory.swap.max': '0',
    'memory.low': '999424',
    'memory.min': '4096',
    'pids.max': '6',
    'cpu.max': '20000 50000',
    'cpu.max.burst': '1000',
    'cpu.weight': '20',
    'cpuset.cpus': '0',
    'io.max': `${major}:${minor} rbps=max wbps=1000000 riops=max wiops=max`,
  };
  // systemd takes a scope away with its last process.
  const keeper = waiting('true');
  cgroup.join(keeper.pid ?? 0);
  const text = await outputWhile(child, () => cgroup.pids().length <= 6);
  for (const [file, value] of Object.entries(wanted)) assert.equal(read(file), value, file);
  const stats = cgroup.stats();
  assert.ok((stats.memory?.oomKills ?? 0) >= 1, `nothing was killed: ${text}`);
  assert.ok((stats.cpu?.usageNs ?? 0) > 0);
  assert.ok(Number(/max (\d+)/.exec(read('pids.events'))?.[1]) >= 1, 'the limit was not reached');
  await cgroup.set(runtimeResources({ memory: { limit: 50_000_000, swap: 50_000_000 } }));
  assert.equal(read('memory.max'), '49999872');
  assert.equal(read('pids.max'), '6', 'an update changed what it does not name');
  await assertFails('RUNTIME_CONFIG_INVALID', () =>
    cgroup.set(runtimeResources({ memory: { limit: 4096, checkBeforeUpdate: true } })),
  );
  cgroup.kill(9);
  await cgroup.delete();
});

/** What systemd says of a unit. */
function show(unit: string, property: string): string {
  const words = ['show', '--value', '--property', property, unit];
  return spawnSync('systemctl', words, { encoding: 'utf8' }).stdout.trim();
}

test('berth-runtime --systemd-cgroup: a container is in its scope from create to delete', (t) => {
  if (hasLimits) {
    t.diagnostic('the life of a container is looked at where it is quick');
    return;
  }
  for (const [path, slice, scope] of [
    [undefined, 'system.slice', (id: string) => `berth-${id}.scope`],
    ['machine.slice:pod:one', 'machine.slice', () => 'pod-one.scope'],
  ] as const) {
    using bundle = new HostBundle('--systemd-cgroup');
    bundle.configure(['sh', '-c', 'cat /proc/self/cgroup; sleep 100'], { cgroupsPath: path });
    assert.equal(bundle.create().status, 0);
    const unit = scope(bundle.id);
    assert.equal(show(unit, 'ActiveState'), 'active');
    assert.deepEqual([show(unit, 'Slice'), show(unit, 'Delegate')], [slice, 'yes']);
    const { pid } = JSON.parse(bundle.call('state', bundle.id).stdout) as { pid: number };
    const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
    assert.ok(groups.includes(`0::${show(unit, 'ControlGroup')}`), groups.join(' '));
    assert.equal(bundle.call('start', bundle.id).status, 0);
    assert.equal(bundle.call('pause', bundle.id).status, 0);
    assert.match(bundle.call('state', bundle.id).stdout, /"status": "paused"/);
    assert.equal(bundle.call('resume', bundle.id).status, 0);
    // A program that is added is in the scope too, which it sees as the top.
    const added = bundle.call('exec', bundle.id, 'cat', '/proc/self/cgroup');
    assert.equal(added.status, 0, added.stderr);
    assert.match(added.stdout, /^0::\/$/m);
    assert.equal(bundle.call('kill', bundle.id, 'KILL').status, 0);
    assert.equal(bundle.call('delete', '--force', bundle.id).status, 0);
    assert.notEqual(show(unit, 'ActiveState'), 'active');
    assert.ok(!existsSync(`/sys/fs/cgroup/${slice}/${unit}`), 'the cgroup is left');
  }
});

test('berth-runtime --systemd-cgroup: pids.limit 0 is a limit, and -1 is none', (t) => {
  if (!hasLimits) {
    t.diagnostic('there are no controllers');
    return;
  }
  using bundle = new HostBundle('--systemd-cgroup');
  bundle.configure(['sleep', '100'], { resources: { pids: { limit: 0 } } });
  assert.equal(bundle.create().status, 0);
  const unit = `berth-${bundle.id}.scope`;
  const limit = (): string =>
    readFileSync(`/sys/fs/cgroup${show(unit, 'ControlGroup')}/pids.max`, 'utf8').trim();
  assert.deepEqual([limit(), show(unit, 'TasksMax')], ['0', '1']);
  assert.equal(bundle.call('update', '--pids-limit', '-1', bundle.id).status, 0);
  assert.deepEqual([limit(), show(unit, 'TasksMax')], ['max', 'infinity']);
});

function deviceOf(path: string): [number, number] {
  const text = readFileSync(`/sys/class/block/${path.slice('/dev/'.length)}/dev`, 'utf8');
  const [major = 0, minor = 0] = text.trim().split(':').map(Number);
  return [major, minor];
}

async function outputWhile(child: ChildProcess, holds: () => boolean): Promise<string> {
  const watch = setInterval(() => {
    assert.ok(holds(), 'a limit does not hold');
  }, 50);
  try {
    return await output(child);
  } finally {
    clearInterval(watch);
  }
}
