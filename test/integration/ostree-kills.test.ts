import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { openOstreeStore } from '../../src/store/ostree/ostree-store.js';
import { treeLines } from '../support/list-tree.js';
import { runOk } from '../support/run-command.js';
import { TempDir } from '../support/temp-dir.js';
import { REPEATABLE, supervise } from '../torture/supervise.js';

const PROGRAM = fileURLToPath(new URL('../support/take-into-ostree.js', import.meta.url));

/** Points of a sweep; `BERTH_SWEEP_POINTS` makes it a long one. */
const POINTS = Number(process.env['BERTH_SWEEP_POINTS'] ?? 12);

test('an import into OSTree that is killed anywhere leaves what ostree fsck passes, and can be done again', async () => {
  using dir = new TempDir();
  const argv = (repository: string): string[] => [process.execPath, PROGRAM, repository];
  const whole = `${dir.path}/whole`;
  const roots = (repository: string): string[] => [repository, `${repository}.new`];
  const { status, calls, stderr } = await supervise(argv(whole), { roots: roots(whole) });
  assert.equal(status, 0, stderr);
  assert.ok(calls.length > 50, `only ${calls.length} calls were counted`);
  let killed = 0;
  for (let point = 1; point <= POINTS; point += 1) {
    const repository = `${dir.path}/${point}`;
    const killAt = Math.max(1, Math.floor((calls.length * point) / POINTS) - 1);
    const run = await supervise(argv(repository), { roots: roots(repository), killAt });
    if (run.fired === 'killed') killed += 1;
    const where = `killed at ${killAt} of ${calls.length}: ${JSON.stringify(run.calls.at(-1))}`;
    const fsck = ['ostree', 'fsck', `--repo=${repository}`, '--quiet'];
    if (existsSync(repository)) {
      await runOk(fsck).catch((error: unknown) => assert.fail(`${where}: ${String(error)}`));
    }
    await runOk(argv(repository), { env: REPEATABLE }).catch((error: unknown) =>
      assert.fail(`${where}, and again: ${String(error)}`),
    );
    await runOk(fsck);
    await using store = openOstreeStore(repository);
    assert.deepEqual((await store.fsck()).problems, [], where);
    const image = await store.findImage('example.com/x:1');
    assert.ok(image !== undefined);
    mkdirSync(`${dir.path}/out${point}`);
    await store.checkout(await store.openTree(image), `${dir.path}/out${point}`);
    assert.equal(treeLines(`${dir.path}/out${point}`).length, 8, where);
  }
  assert.ok(killed >= POINTS / 2, `only ${killed} kills came`);
});
