import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertOk } from '../support/command-asserts.js';
import { type BootedHost, bootHost } from '../support/booted-host.js';
import { configTemplate, pushExports } from '../support/exports-image.js';
import { snapshotChanging } from '../support/refused.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import type { CommandResult } from '../support/run-command.js';
import { compareSnapshots } from '../support/tree-snapshot.js';
import { choosePoints } from '../torture/kill-points.js';
import { superviseOn } from '../torture/on-booted-host.js';

// Two containers that change versions as one: forward, back by themselves, back by order, and over a kill.

let registry: RealRegistry;
let host: BootedHost;

const MEMBERS = ['front', 'back'] as const;

before(async () => {
  registry = await startRegistry();
  host = await bootHost({ suite: 'bookworm' });
  await host.network.exposePort(registry.port);
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

async function push(name: string, word: string, args = ['/probe', 'deaf']): Promise<void> {
  await pushExports(registry.target(name), {
    comment: word,
    files: {
      'config.json.template': configTemplate({
        process: { user: { uid: 0, gid: 0 }, args, env: [`VERSION=${word}`], cwd: '/' },
      }),
      // The set has them the other way round.
      ...(name === 'front' ? { 'manifest.json': JSON.stringify({ requires: ['back'] }) } : {}),
    },
    entries: [{ path: `exports/hostfs/etc/${name}-version`, content: word }],
  });
}

async function berth(...args: readonly string[]): Promise<CommandResult> {
  return assertOk(await host.berth(...args));
}

/** Of each member: the version that its link, its configuration and its host file show, and whether it runs. */
async function show(): Promise<string> {
  const parts: string[] = [];
  for (const name of MEMBERS) {
    parts.push(
      await host.sh(
        `echo ${name} $(readlink /var/lib/berth/${name}) $(grep -oE 'VERSION=[a-z0-9]+' /var/lib/berth/${name}/config.json) $(cat /etc/${name}-version) $(systemctl is-active ${name} || true)`,
      ),
    );
  }
  return parts.join('');
}

function shown(number: number, word: string, state = 'active'): string {
  return MEMBERS.map((name) => `${name} ${name}.${number} VERSION=${word} ${word} ${state}\n`).join(
    '',
  );
}

test('a set is updated as one, goes back as one, and is rolled back as one', async () => {
  for (const name of MEMBERS) {
    await push(name, 'v1');
    await berth('pull', registry.reference(name));
  }
  const pristine = await snapshotChanging(host);
  for (const name of ['back', 'front']) await berth('install', '--start', registry.reference(name));
  await berth('sets', 'create', 'shop', ...MEMBERS);
  assert.match((await berth('sets', 'list')).stdout, /^@shop: front back$/m);
  const unknown = await host.berth('update', '@shops');
  assert.equal(unknown.status, 66, unknown.stderr);
  assert.match((await berth('update', '--no-wait', '@shop')).stdout, /nothing changed/);

  for (const name of MEMBERS) await push(name, 'v2');
  const plan = await berth('update', '--plan', '@shop');
  assert.match(plan.stdout, /VERSION.*"v2"/);
  assert.equal(await show(), shown(0, 'v1'));
  await berth('update', '--no-wait', '@shop');
  assert.equal(await show(), shown(1, 'v2'));

  // One of them is no good: none changes.
  await push('back', 'v3');
  await push('front', 'v3', ['/probe', 'exit', '3']);
  const failed = await host.berth('update', '@shop');
  assert.equal(failed.status, 79, failed.stderr);
  assert.equal(await show(), shown(1, 'v2'));
  // Who is watched first finds it out: front, or back of the one that depends on it.
  assert.match((await berth('update', '@shop')).stdout, /is not tried again[^]*\bfront\b/);
  assert.match((await berth('sets', 'show', 'shop')).stdout, /^front +1 +0$/m);

  await berth('rollback', '--no-wait', '@shop');
  assert.equal(await show(), shown(0, 'v1'));
  await berth('rollback', '--no-wait', '@shop');
  assert.equal(await show(), shown(1, 'v2'));
  await berth('sets', 'delete', 'shop');
  await berth('uninstall', 'front', 'back');
  assert.deepEqual(compareSnapshots(pristine, await snapshotChanging(host)), []);
});

test('F12 a set whose change is killed has changed as a whole or not at all', async (t) => {
  for (const name of MEMBERS) await push(name, 'v1');
  for (const name of MEMBERS) await berth('pull', registry.reference(name));
  for (const name of ['back', 'front']) await berth('install', '--start', registry.reference(name));
  await berth('sets', 'create', 'shop', ...MEMBERS);
  for (const name of MEMBERS) await push(name, 'v2');
  await berth('update', '--no-wait', '@shop');
  // From here on the set goes to and fro between two deployments that are on the disk.
  const back = ['rollback', '--no-wait', '@shop'];
  const { status, stderr, calls } = await superviseOn(host, back);
  assert.equal(status, 0, stderr);
  const chosen = choosePoints(calls, { root: '', limit: 24 });
  let killed = 0;
  let number = 0;
  for (const [index, point] of chosen.entries()) {
    await t.test(`${point.number} ${point.call} ${point.places.join(' ')}`, async () => {
      const { fired } = await superviseOn(host, back, { killAt: point.number });
      killed += fired === 'killed' ? 1 : 0;
      // Either `berth recover`, or a command on one member alone.
      if (index % 2 === 0) await berth('recover');
      else await berth('pin', '--remove', MEMBERS[index % 4 === 1 ? 0 : 1]);
      const state = await show();
      const there = [0, 1].find((candidate) => state === shown(candidate, `v${candidate + 1}`));
      assert.ok(there !== undefined, `some of both:\n${state}`);
      number = there;
      assert.equal(await host.sh('ls /var/lib/berth/.journal'), '');
    });
  }
  t.diagnostic(`${calls.length} calls that change something, ${killed} killed, at ${number}`);
  assert.ok(killed >= chosen.length * 0.8, `only ${killed} of ${chosen.length} were killed`);
});
