import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertOk } from '../support/command-asserts.js';
import { type BootedHost, bootHost } from '../support/booted-host.js';
import { configTemplate, pushExports, type ExportsSketch } from '../support/exports-image.js';
import { snapshotChanging } from '../support/refused.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import type { CommandResult } from '../support/run-command.js';
import { shortSoak } from '../support/short-soak.js';
import { suites } from '../support/suites.js';
import { compareSnapshots } from '../support/tree-snapshot.js';

// The way of a container over its versions, on a real systemd: forward, back by itself, and back by order.

let registry: RealRegistry;
const hosts = new Map<string, BootedHost>();

before(async () => {
  registry = await startRegistry();
  for (const suite of suites) {
    // On one of them as long as usual.
    const host = await bootHost(suite === 'bookworm' ? { suite } : { suite, prepare: shortSoak });
    await host.network.exposePort(registry.port);
    hosts.set(suite, host);
  }
});

after(async () => {
  for (const host of hosts.values()) await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

function hostOf(suite: string): BootedHost {
  const host = hosts.get(suite);
  assert.ok(host !== undefined);
  return host;
}

/** A version of an image: what its service does, and what it brings for the host. */
function version(
  word: string,
  args: readonly string[] = ['/probe', 'deaf'],
  more: ExportsSketch = {},
): ExportsSketch {
  return {
    ...more,
    files: {
      'config.json.template': configTemplate({
        process: { user: { uid: 0, gid: 0 }, args, env: [`VERSION=${word}`], cwd: '/' },
      }),
      ...more.files,
    },
    comment: word,
  };
}

const FAILING = ['/probe', 'exit', '3'];

async function push(repository: string, sketch: ExportsSketch): Promise<string> {
  const pushed = await pushExports(registry.target(repository), sketch);
  return pushed.digest;
}

interface Outcome {
  readonly action: string;
  readonly from: { readonly number: number };
  readonly to: { readonly number: number; readonly digest: string };
  readonly restarted: boolean;
  readonly kept: readonly string[];
}

async function update(host: BootedHost, ...args: readonly string[]): Promise<Outcome> {
  const result = assertOk(await host.berth('update', '--json', ...args));
  const [outcome] = JSON.parse(result.stdout) as Outcome[];
  assert.ok(outcome !== undefined);
  return outcome;
}

/** What the running service has in its environment; a simple service is active a moment before its program runs. */
async function runningVersion(host: BootedHost, name: string): Promise<string> {
  return host.sh(`
    group=/sys/fs/cgroup$(systemctl show -P ControlGroup ${name})
    for attempt in $(seq 300); do
      for pid in $(cat $group/cgroup.procs); do
        found=$(tr '\\0' '\\n' </proc/$pid/environ | sed -n 's/^VERSION=//p')
        if [ -n "$found" ]; then printf %s "$found"; exit; fi
      done
      sleep 0.1
    done`);
}

async function linkOf(host: BootedHost, name: string): Promise<string> {
  return (await host.sh(`readlink /var/lib/berth/${name}`)).trim();
}

async function berth(host: BootedHost, ...args: readonly string[]): Promise<CommandResult> {
  return assertOk(await host.berth(...args));
}

for (const suite of suites) {
  test(`update() switches to a new image, goes back from a bad one, and rolls back with no registry (${suite})`, async () => {
    const host = hostOf(suite);
    const repository = `way-${suite}`;
    const reference = registry.reference(repository);
    const first = await push(repository, version('one'));
    await berth(host, 'pull', reference);
    const pristine = await snapshotChanging(host);
    await berth(host, 'install', '--start', '--name', 'way', reference);
    assert.equal(await runningVersion(host, 'way'), 'one');

    const nothing = await update(host, 'way');
    assert.equal(nothing.action, 'nothing');
    assert.equal(await linkOf(host, 'way'), 'way.0');

    const second = await push(repository, version('two'));
    assert.notEqual(first, second);
    const updated = await update(host, 'way');
    assert.deepEqual(
      [updated.action, updated.restarted, updated.from.number, updated.to.number],
      ['updated', true, 0, 1],
    );
    assert.equal(updated.to.digest, second);
    assert.equal(await runningVersion(host, 'way'), 'two');
    assert.equal(await linkOf(host, 'way'), 'way.1');

    const third = await push(repository, version('three', FAILING));
    const failed = await host.berth('update', 'way');
    assert.equal(failed.status, 79, failed.stderr);
    assert.match(failed.stderr, /cannot update 'way'/);
    assert.equal(await runningVersion(host, 'way'), 'two');
    assert.equal(await linkOf(host, 'way'), 'way.1');
    assert.equal((await update(host, 'way')).action, 'rejected');
    assert.match((await berth(host, 'history', 'way')).stdout, new RegExp(`rejected ${third}`));
    const again = await host.berth('update', '--retry', 'way');
    assert.equal(again.status, 79, again.stderr);

    const back = assertOk(await host.berth('rollback', '--json', '--no-wait', 'way'));
    assert.equal((JSON.parse(back.stdout) as Outcome).to.number, 0);
    assert.equal(await runningVersion(host, 'way'), 'one');
    assert.match((await host.unit('way.service'))['NeedDaemonReload'] ?? '', /no/);
    await berth(host, 'uninstall', '--purge', 'way');
    assert.deepEqual(compareSnapshots(pristine, await snapshotChanging(host)), []);
  });
}
