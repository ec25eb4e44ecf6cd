import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { bootHost, type BootedHost } from '../support/booted-host.js';
import { bootedHostRecipe } from '../support/host-tree.js';

/** The peers that judge the suite itself, in a tree of their own: for who wants the table, not for every run. */
const withPeers = process.env['BERTH_TEST_PEERS'] === '1';

/** What `node --test` says of a run. */
interface Totals {
  readonly tests: number;
  readonly pass: number;
  /** Titles of the tests that failed. */
  readonly failed: readonly string[];
}

async function judge(host: BootedHost, runtime?: string): Promise<Totals> {
  const { stdout } = await host.run(
    [
      ...['sh', '-c'],
      'cd /opt/berth && exec node --test --test-reporter=tap --test-concurrency=2 dist/test/conformance/*.test.js',
    ],
    { env: runtime === undefined ? {} : { RUNTIME: runtime }, timeoutMs: 900_000 },
  );
  const count = (name: string): number =>
    Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(stdout)?.[1] ?? Number.NaN);
  return {
    tests: count('tests'),
    pass: count('pass'),
    failed: [...stdout.matchAll(/^\s*not ok \d+ - (.*)$/gm)].map(([, title = '']) => title),
  };
}

test('the conformance suite on a booted host: control groups of version 2 without controllers', async (t) => {
  const base = bootedHostRecipe('trixie');
  const peers = { ...base, name: 'peers', packages: [...base.packages, 'crun', 'runc', 'procps'] };
  await using host = await bootHost({
    suite: 'trixie',
    ...(withPeers ? { recipe: peers } : {}),
    prepare: async (tree) => {
      const [busybox] = ['/bin/busybox', '/usr/bin/busybox'].filter((path) => existsSync(path));
      assert.ok(busybox !== undefined, 'busybox-static is not installed: npm run pretest');
      await copyFile(busybox, join(tree, 'usr/bin/busybox'));
    },
  });
  const own = await judge(host);
  t.diagnostic(`berth-runtime: ${own.pass} of ${own.tests}`);
  assert.deepEqual(own.failed, []);
  assert.ok(own.tests >= 48 && own.pass === own.tests, `${own.pass} of ${own.tests}`);
  if (!withPeers) return;
  for (const runtime of ['crun', 'runc']) {
    const theirs = await judge(host, runtime);
    t.diagnostic(`${runtime}: ${theirs.pass} of ${theirs.tests}`);
    for (const title of theirs.failed) t.diagnostic(`${runtime} does not pass: ${title}`);
    assert.equal(theirs.tests, own.tests);
    assert.ok(theirs.pass < own.pass, `${runtime} passes as many`);
  }
});
