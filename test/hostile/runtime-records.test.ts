import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  rmdirSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { findCgroupHierarchy } from '../../src/runtime/cgroups/hierarchy.js';
import { change, defaultDocument, RuntimeBed } from '../conformance/runtime-bed.js';
import { each } from '../support/each.js';
import { waitUntil } from '../support/wait-until.js';

/** Whether a process is there and not only waited for. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false; // there is no such process
  }
}

async function assertEnds(pids: readonly number[]): Promise<void> {
  await waitUntil('the end of all processes of the container', () => {
    assert.deepEqual(pids.filter(isAlive), []);
    return true;
  });
}

function roots(): readonly string[] {
  const hierarchy = findCgroupHierarchy();
  return [...new Set(hierarchy.version === 1 ? hierarchy.roots.values() : [hierarchy.root])];
}

/** A container of two processes that end by no signal but SIGKILL, and no pid namespace in which they would end together. */
function startTwo(bed: RuntimeBed, linux: object = {}): readonly number[] {
  bed.configure(
    change(defaultDocument(['sh', '-c', 'trap "" TERM HUP; (sleep 100; :) & sleep 100; :']), {
      hostname: undefined,
      linux: { namespaces: [{ type: 'mount' }, { type: 'ipc' }], ...linux },
    }),
  );
  bed.must(bed.create());
  bed.must(bed.call('start', bed.id));
  for (;;) {
    const pids = JSON.parse(bed.call('ps', '--format', 'json', bed.id).stdout) as number[];
    if (pids.length >= 3) return pids;
  }
}

each<{ name: string; damage: (path: string) => void }>(
  'F16 C28 delete --force takes a container away whose record is',
  [
    {
      name: 'cut short',
      damage: (path) => {
        truncateSync(path, readFileSync(path).length - 20);
      },
    },
    {
      name: 'empty',
      damage: (path) => {
        writeFileSync(path, '');
      },
    },
    {
      name: 'full of zeros',
      damage: (path) => {
        writeFileSync(path, Buffer.alloc(600));
      },
    },
    {
      name: 'of another format',
      damage: (path) => {
        writeFileSync(path, '{"format":2,"pid":1,"startTime":"1"}');
      },
    },
    {
      name: 'a directory',
      damage: (path) => {
        rmSync(path);
        mkdirSync(path);
      },
    },
  ],
  async ({ damage }) => {
    using bed = new RuntimeBed();
    const pids = startTwo(bed);
    damage(bed.path(`state/${bed.id}/state.json`));
    for (const verb of ['state', 'start', 'kill', 'exec', 'delete']) {
      const refused = bed.call(verb, bed.id, ...(verb === 'exec' ? ['true'] : []));
      assert.equal(refused.status, 1, verb);
    }
    assert.ok(pids.every(isAlive), 'what was refused had an effect');
    assert.equal(bed.call('list', '-q').status, 0, 'one damaged record hides the others');
    const forced = bed.call('delete', '--force', bed.id);
    assert.equal(forced.status, 0, forced.stderr);
    assert.match(forced.stderr, /cannot be read/);
    await assertEnds(pids);
    assert.ok(!existsSync(bed.path(`state/${bed.id}`)));
    for (const root of roots()) assert.ok(!existsSync(join(root, 'berth', bed.id)), root);
  },
);

test('F16 C28 delete --force by a damaged record kills nobody in a group that may be another’s', async () => {
  using bed = new RuntimeBed();
  const group = `${bed.id}-not`;
  const pids = startTwo(bed, { cgroupsPath: `/${group}` });
  const other = spawn('sleep', ['100'], { stdio: 'ignore' });
  try {
    for (const root of roots()) {
      const place = join(root, group, 'cgroup.procs');
      if (existsSync(place)) writeFileSync(place, String(other.pid));
    }
    const path = bed.path(`state/${bed.id}/state.json`);
    truncateSync(path, readFileSync(path).length - 20);
    assert.equal(bed.call('delete', '--force', bed.id).status, 0);
    // Its own process is known by its number and start; the record had both.
    await assertEnds(pids.slice(0, 1));
    assert.ok(isAlive(other.pid ?? 0), 'A PROCESS OF SOMEBODY ELSE WAS KILLED');
  } finally {
    other.kill('SIGKILL');
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    await assertEnds([...pids, other.pid ?? 0]);
    for (const root of roots()) {
      if (existsSync(join(root, group))) rmdirSync(join(root, group));
    }
  }
});
