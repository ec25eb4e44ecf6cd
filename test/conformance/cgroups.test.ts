import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { findCgroupHierarchy } from '../../src/runtime/cgroups/hierarchy.js';
import { change, defaultDocument, RuntimeBed } from './runtime-bed.js';

/** One limit of a document, and the files of both versions that must have it. */
interface Limit {
  readonly program: string;
  readonly resources: object;
  readonly v1: readonly (readonly [controller: string, file: string, value: string])[];
  readonly v2: readonly (readonly [controller: string, file: string, value: string])[];
}

const LIMITS: readonly Limit[] = [
  {
    program: 'pids',
    resources: { pids: { limit: 1000 } },
    v1: [['pids', 'pids.max', '1000']],
    v2: [['pids', 'pids.max', '1000']],
  },
  {
    program: 'memory',
    resources: { memory: { limit: 50_593_792, reservation: 33_554_432 } },
    v1: [
      ['memory', 'memory.limit_in_bytes', '50593792'],
      ['memory', 'memory.soft_limit_in_bytes', '33554432'],
    ],
    v2: [
      ['memory', 'memory.max', '50593792'],
      ['memory', 'memory.low', '33554432'],
    ],
  },
  {
    program: 'cpus',
    resources: { cpu: { shares: 1024, period: 100_000, quota: 50_000, cpus: '0-1', mems: '0' } },
    v1: [
      ['cpu', 'cpu.shares', '1024'],
      ['cpu', 'cpu.cfs_quota_us', '50000'],
      ['cpuset', 'cpuset.cpus', '0-1'],
    ],
    v2: [
      ['cpu', 'cpu.max', '50000 100000'],
      ['cpuset', 'cpuset.cpus', '0-1'],
    ],
  },
];

/** The group that the groups of these tests are made in. */
const PARENT = 'berth-conformance';

after(() => {
  const hierarchy = findCgroupHierarchy();
  const roots = hierarchy.version === 1 ? [...hierarchy.roots.values()] : [hierarchy.root];
  for (const place of new Set(roots.map((root) => join(root, PARENT)))) {
    if (existsSync(place)) rmdirSync(place);
  }
});

/** Where a controller is for a group; undefined if this host does not have it. */
function fileOf(group: string, controller: string, file: string): string | undefined {
  const hierarchy = findCgroupHierarchy();
  if (hierarchy.version === 1) {
    const root = hierarchy.roots.get(controller);
    return root === undefined ? undefined : join(root, group, file);
  }
  const has = readFileSync(join(hierarchy.root, 'cgroup.controllers'), 'utf8').split(/\s+/);
  return has.includes(controller) ? join(hierarchy.root, group, file) : undefined;
}

for (const relative of [false, true]) {
  for (const limit of LIMITS) {
    test(`linux_cgroups_${relative ? 'relative_' : ''}${limit.program}`, (t) => {
      using bed = new RuntimeBed();
      const group = `${PARENT}/${bed.id}`;
      const rows = findCgroupHierarchy().version === 1 ? limit.v1 : limit.v2;
      const files = rows.flatMap(([controller, file, value]) => {
        const path = fileOf(group, controller, file);
        return path === undefined ? [] : [[path, value] as const];
      });
      if (files.length < rows.length) {
        t.diagnostic('this host lacks the controller: the refusal is what is tested');
        bed.configure(change(defaultDocument(['true']), { linux: { resources: limit.resources } }));
        assert.notEqual(bed.create().status, 0);
        return;
      }
      bed.configure(
        change(defaultDocument(['true']), {
          linux: { cgroupsPath: relative ? group : `/${group}`, resources: limit.resources },
        }),
      );
      bed.must(bed.create());
      for (const [path, value] of files)
        assert.equal(readFileSync(path, 'utf8').trim(), value, path);
      bed.must(bed.call('delete', '--force', bed.id));
      for (const [path] of files) assert.ok(!existsSync(path), `${path} is left behind`);
    });
  }
}

test('linux_cgroups_devices: what is not allowed cannot be opened', async () => {
  using bed = new RuntimeBed();
  const output = await bed.inside(
    change(
      defaultDocument([
        'sh',
        '-c',
        'cat /dev/null && echo ok; mknod /dev/mem c 1 1; head -c 1 /dev/mem',
      ]),
      {
        linux: {
          resources: {
            devices: [
              { allow: false, access: 'rwm' },
              { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
            ],
          },
        },
      },
    ),
  );
  assert.match(output, /^ok$/m);
  assert.match(output, /mem: Operation not permitted/);
});

test('delete_only_create_resources: a group that somebody else made stays', async () => {
  const hierarchy = findCgroupHierarchy();
  const [root = ''] = hierarchy.version === 1 ? hierarchy.roots.values() : [hierarchy.root];
  const foreign = join(root, `${PARENT}-foreign`);
  mkdirSync(foreign, { recursive: true });
  try {
    using bed = new RuntimeBed();
    bed.configure(defaultDocument(['true']));
    bed.must(bed.create());
    writeFileSync(join(foreign, 'cgroup.procs'), String(bed.state()?.pid ?? 0));
    bed.must(bed.call('start', bed.id));
    await bed.waitFor('stopped');
    bed.must(bed.call('delete', bed.id));
    assert.ok(existsSync(foreign));
  } finally {
    rmdirSync(foreign);
  }
});

test('pause, resume, update, ps, list, events: what runc has beside the specification', (t) => {
  using bed = new RuntimeBed();
  bed.configure(defaultDocument(['sleep', '1000']));
  bed.must(bed.create());
  bed.must(bed.call('start', bed.id));
  bed.must(bed.call('pause', bed.id));
  assert.equal(bed.state()?.status, 'paused');
  assert.notEqual(bed.call('pause', bed.id).status, 0);
  assert.notEqual(
    bed.call('exec', bed.id, 'true').status,
    0,
    'a program was started in a paused container',
  );
  bed.must(bed.call('resume', bed.id));
  assert.equal(bed.state()?.status, 'running');
  const pid = bed.state()?.pid ?? 0;
  assert.deepEqual(JSON.parse(bed.call('ps', '--format', 'json', bed.id).stdout), [pid]);
  const table = bed.call('ps', bed.id);
  if (spawnSync('ps', ['--version']).error === undefined) {
    assert.match(table.stdout, /^UID +PID.*\n.* sleep 1000\n$/);
  } else {
    t.diagnostic('this host has no ps(1): the refusal is what is tested');
    assert.notEqual(table.status, 0);
  }
  assert.equal(bed.call('list', '-q').stdout, `${bed.id}\n`);
  assert.match(
    bed.call('list').stdout,
    new RegExp(`^ID +PID +STATUS .*\n${bed.id} +${pid} +running `),
  );
  const [row] = JSON.parse(bed.call('list', '--format=json').stdout) as {
    id: string;
    status: string;
  }[];
  assert.deepEqual([row?.id, row?.status], [bed.id, 'running']);
  const event = JSON.parse(bed.call('events', '--stats', bed.id).stdout) as {
    type: string;
    id: string;
  };
  assert.deepEqual([event.type, event.id], ['stats', bed.id]);
  const path = fileOf(`berth/${bed.id}`, 'pids', 'pids.max');
  if (path !== undefined) {
    bed.must(bed.call('update', '--pids-limit', '77', bed.id));
    assert.equal(readFileSync(path, 'utf8').trim(), '77');
  }
  assert.equal(bed.call('exec', bed.id, 'sh', '-c', 'exit 7').status, 7);
  bed.must(bed.call('exec', '--detach', '--pid-file', bed.path('pid'), bed.id, 'sleep', '50'));
  const second = Number(readFileSync(bed.path('pid'), 'utf8'));
  assert.deepEqual(JSON.parse(bed.call('ps', '--format', 'json', bed.id).stdout), [pid, second]);
  bed.must(bed.call('kill', '--all', bed.id, 'KILL'));
});
