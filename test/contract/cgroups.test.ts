import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import type { Cgroup, CgroupManager } from '../../src/runtime/cgroups/cgroup.js';
import { cgroupfsManager } from '../../src/runtime/cgroups/cgroupfs-manager.js';
import { findCgroupHierarchy, type CgroupHierarchy } from '../../src/runtime/cgroups/hierarchy.js';
import { openCgroup } from '../../src/runtime/cgroups/systemd-manager.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { runtimeResources } from '../support/runtime-resources.js';
import { waitUntil } from '../support/wait-until.js';

/*
 * The cgroups of the machine that the tests run on: version 1 with controllers where it has them, and version 2, which
 * freezes, kills and keeps devices away without any controller. Limits of version 2 are tested on a whole machine.
 */

/** The hierarchy of version 2, on a host of either version. */
function unified(): CgroupHierarchy | undefined {
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((text) => text.includes(' - cgroup2 '));
  const root = line?.split(' ')[4];
  return root === undefined ? undefined : { version: 2, root };
}

const hierarchies = [
  { name: 'as this host has them', hierarchy: findCgroupHierarchy() },
  ...[unified()].flatMap((hierarchy) =>
    hierarchy === undefined ? [] : [{ name: 'version 2', hierarchy }],
  ),
];

/** A shell that runs its script once it is let go: in its cgroup by then. */
class Waiting implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly pid: number;
  cgroup: Cgroup | undefined;

  constructor(script: string) {
    this.child = spawn('sh', ['-c', `read gate; ${script}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.pid = this.child.pid ?? 0;
  }

  async enter(manager: CgroupManager, id: string, resources: object = {}): Promise<Cgroup> {
    this.cgroup = await manager.create({
      id,
      path: undefined,
      pid: this.pid,
      resources: runtimeResources(resources),
    });
    return this.cgroup;
  }

  /** Lets it run to the line `ready` or to its end, and gives what it printed. */
  async go(): Promise<string> {
    let text = '';
    const seen = new Promise<void>((resolve) => {
      this.child.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes('ready\n')) resolve();
      });
      this.child.once('close', () => {
        resolve();
      });
    });
    this.child.stdin?.end('\n');
    await seen;
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const isOver = this.child.exitCode !== null || this.child.signalCode !== null;
    const end = isOver ? Promise.resolve() : once(this.child, 'close');
    this.cgroup?.kill(9);
    this.child.kill('SIGKILL');
    await end;
    await this.cgroup?.delete();
    const [parent] = Object.values(this.cgroup?.place.directories ?? {});
    assert.ok(parent === undefined || !existsSync(parent), 'a cgroup was left behind');
  }
}

each<(typeof hierarchies)[number]>(
  'a cgroup holds and ends all processes',
  hierarchies,
  async ({ hierarchy }) => {
    await using waiting = new Waiting(
      'sh -c "trap : TERM; while :; do sleep 0.01; done" & sh -c "trap : TERM; sleep 60 & wait; wait" & echo ready; wait',
    );
    const cgroup = await waiting.enter(
      cgroupfsManager(() => hierarchy),
      'ends',
    );
    assert.deepEqual(cgroup.pids(), [waiting.pid]);
    await waiting.go();
    assert.ok(cgroup.pids().length >= 3, 'children are not in it');
    const again = openCgroup(cgroup.place);
    await again.freeze();
    assert.ok(cgroup.isFrozen());
    // What they used up to the moment that they froze in may be counted a little later; then it stands still.
    const usage = (): number => cgroup.stats().cpu?.usageNs ?? Number.NaN;
    let before = Number.NaN;
    await waitUntil('frozen processes that do not run', () => before === (before = usage()), {
      everyMs: 60,
    });
    await again.thaw();
    assert.ok(!cgroup.isFrozen());
    await again.freeze();
    // What is frozen is killed too, and nobody who forks gets away.
    cgroup.kill(9);
    await cgroup.delete();
    assert.deepEqual(cgroup.pids(), []);
    await cgroup.delete();
  },
);

each<(typeof hierarchies)[number]>(
  'a cgroup keeps devices away',
  hierarchies,
  async ({ hierarchy }) => {
    const script = `
    for device in null tun kmsg; do
      (: </dev/$device) 2>/dev/null && echo "read $device"
      (: >/dev/$device) 2>/dev/null && echo "write $device"
    done; true`.replaceAll('/dev/$device', '"$(ls -d /dev/$device /dev/net/$device 2>/dev/null)"');
    const manager = cgroupfsManager(() => hierarchy);
    const tun = { type: 'c', major: 10, minor: 200 };
    const rows = [
      { devices: [], has: ['read null', 'write null'] },
      {
        devices: [{ allow: true, ...tun, access: 'r' }],
        has: ['read null', 'read tun', 'write null'],
      },
      {
        devices: [{ allow: true, ...tun, access: 'rwm' }, { allow: false }],
        has: ['read null', 'write null'],
      },
      {
        devices: [
          { allow: false },
          { allow: true, ...tun, access: 'rw' },
          { allow: true, type: 'c', major: 1, access: 'r' },
        ],
        has: ['read kmsg', 'read null', 'read tun', 'write null', 'write tun'],
      },
    ];
    for (const { devices, has } of rows) {
      await using waiting = new Waiting(script);
      await waiting.enter(manager, 'devices', { devices });
      const lines = (await waiting.go()).trim().split('\n').sort();
      assert.deepEqual(lines, has, JSON.stringify(devices));
    }
  },
);

each<(typeof hierarchies)[number]>(
  'a cgroup of others is left alone',
  hierarchies,
  async ({ hierarchy }) => {
    const manager = cgroupfsManager(() => hierarchy);
    await using first = new Waiting('true');
    await first.enter(manager, 'taken');
    await using second = new Waiting('true');
    await assertFails('CGROUP_FAILED', () => second.enter(manager, 'taken'));
    await assertFails('RUNTIME_CONFIG_INVALID', () =>
      manager.create({
        id: 'x',
        path: '/berth-test/../../x',
        pid: second.pid,
        resources: runtimeResources(),
      }),
    );
    assert.deepEqual(first.cgroup?.pids(), [first.pid]);
  },
);

each<(typeof hierarchies)[number]>(
  'a limit that this host does not have is refused by name',
  hierarchies,
  async ({ hierarchy }) => {
    const manager = cgroupfsManager(() => hierarchy);
    await using waiting = new Waiting('true');
    const error = await assertFails('RUNTIME_UNSUPPORTED', () =>
      waiting.enter(manager, 'refused', { hugepageLimits: [{ pageSize: '3KB', limit: 1 }] }),
    );
    assert.match(error.message, /hugepageLimits/);
    const [root] = hierarchy.version === 2 ? [hierarchy.root] : hierarchy.roots.values();
    assert.ok(!existsSync(join(root ?? '', 'berth/refused')), 'a cgroup was left behind');
  },
);

test('limits of version 1 take hold', async (t) => {
  const hierarchy = findCgroupHierarchy();
  if (hierarchy.version !== 1 || !hierarchy.roots.has('pids') || !hierarchy.roots.has('memory')) {
    t.diagnostic('this host has version 2');
    return;
  }
  // A shell that cannot fork ends; what it has started stays.
  await using waiting = new Waiting(
    'trap "echo ready" EXIT; for i in 1 2 3 4 5 6; do sleep 60 >/dev/null 2>&1 & done 2>/dev/null; wait',
  );
  const cgroup = await waiting.enter(cgroupfsManager(), 'limits', {
    memory: { limit: 30_000_000, swappiness: 10 },
    pids: { limit: 4 },
    cpu: { shares: 512, quota: 20_000, period: 50_000, cpus: '0' },
  });
  await waiting.go();
  const { pids, memory } = cgroup.stats();
  assert.ok(pids?.limit === 4, JSON.stringify(pids));
  assert.ok(pids.current >= 2 && pids.current <= 4, JSON.stringify(pids));
  assert.ok((memory?.limitBytes ?? Infinity) <= 30_000_000, JSON.stringify(memory));
  const read = (controller: string, file: string): string =>
    readFileSync(join(cgroup.place.directories[controller] ?? '', file), 'utf8').trim();
  assert.equal(read('cpu', 'cpu.cfs_quota_us'), '20000');
  assert.equal(read('cpuset', 'cpuset.cpus'), '0');
  await cgroup.set(runtimeResources({ memory: { limit: 60_000_000 }, pids: { limit: -1 } }));
  assert.ok((cgroup.stats().memory?.limitBytes ?? 0) > 30_000_000);
  assert.equal(cgroup.stats().pids?.limit, Infinity);
  assert.equal(read('cpu', 'cpu.cfs_quota_us'), '20000', 'an update changed what it does not name');
});
