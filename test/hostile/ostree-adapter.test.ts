import assert from 'node:assert/strict';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

import { runCommand } from '../support/run-command.js';
import { TempDir } from '../support/temp-dir.js';

/*
 * What makes libostree or GLib abort, cut off or misread is refused before it is called. The calls are made in a child, so
 * that an abort is seen as one; the child prints one line for each row.
 */

const child = fileURLToPath(new URL('../support/hostile-ostree.js', import.meta.url));

async function runChild(mode: string, ...more: string[]): Promise<readonly string[]> {
  using temp = new TempDir();
  const result = await runCommand([process.execPath, child, mode, temp.path, ...more], {
    env: { ...process.env, G_DEBUG: 'fatal-warnings', G_MESSAGES_DEBUG: undefined },
  });
  assert.equal(result.signal, undefined, `the process was killed: ${result.stderr}`);
  assert.equal(result.stderr, '', 'libostree wrote to standard error');
  return result.stdout.trimEnd().split('\n');
}

test('no argument ends the process: all are refused, or fail as an error of libostree', async () => {
  const lines = await runChild('table');
  const bad = lines.filter((line) => !/^(refused|failed|closed) /.test(line));
  assert.deepEqual(bad, ['done']);
  assert.ok(lines.length > 70, `only ${lines.length} rows`);
});

test('random arguments never end the process', async () => {
  const lines = await runChild('fuzz');
  assert.equal(lines.at(-1), 'done');
});

test('a damaged repository gives errors, not a crash', async () => {
  const lines = await runChild('damage');
  assert.equal(lines.at(-1), 'done');
  const bad = lines.slice(0, -1).filter((line) => !/^(refused|failed|ok) /.test(line));
  assert.deepEqual(bad, []);
});

test('positive control: the same arguments, passed on unchecked, do end the process', async () => {
  using temp = new TempDir();
  const naive = join(temp.path, 'repo');
  const result = await runCommand([process.execPath, child, 'naive', naive]);
  assert.equal(result.signal, 'SIGABRT', 'libostree no longer aborts on it: find another row');
});
