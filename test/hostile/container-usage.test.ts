import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { listGroupProcesses, readBeginning } from '../../src/containers/control-group.js';
import { TempDir } from '../support/temp-dir.js';

test('C30 a container with more processes than anybody lists is listed up to the limit', async () => {
  using dir = new TempDir();
  mkdirSync(join(dir.path, 'below'));
  const many = Array.from({ length: 300_000 }, (_, index) => `${index + 1}\n`).join('');
  writeFileSync(join(dir.path, 'cgroup.procs'), many);
  writeFileSync(join(dir.path, 'below/cgroup.procs'), '7\n');
  assert.equal((await listGroupProcesses(dir.path)).length, 65_536);
  // The naive way: what a container has that many of are arguments of one call.
  assert.throws(() => [].push(...(many.split('\n') as never[])), RangeError);
});

test('C30 of a command line without end the beginning is read', async () => {
  const child = spawn('/bin/sh', ['-c', 'read line', 'x'.repeat(100_000)], { stdio: 'pipe' });
  await once(child, 'spawn');
  try {
    const path = `/proc/${child.pid ?? 0}/cmdline`;
    const text = (await readBeginning(path, 4096)) ?? '';
    assert.equal(text.length, 4096);
    assert.ok(readFileSync(path).length > 100_000);
  } finally {
    child.kill('SIGKILL');
  }
  assert.equal(await readBeginning('/proc/0/cmdline', 4096), undefined);
});
