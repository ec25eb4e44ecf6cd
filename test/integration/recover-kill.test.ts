import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { configTemplate, pushExports } from '../support/exports-image.js';
import { berthKilledAt, findKillPoints, sample } from '../support/killed-at.js';
import { snapshotChanging } from '../support/refused.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import { compareSnapshots, type TreeSnapshot } from '../support/tree-snapshot.js';

// F12: berth is killed at calls spread over all that change something; what comes next (the same command, `berth recover`,
// or the opposite one) brings the host to where it would be had nothing happened.

let registry: RealRegistry;
let host: BootedHost;
let reference: string;
let pristine: TreeSnapshot;
let installed: TreeSnapshot;

before(async () => {
  registry = await startRegistry();
  host = await bootHost({ suite: 'bookworm' });
  await host.network.exposePort(registry.port);
  reference = `${registry.host}/tiny:latest`;
  await pushExports(registry.target('tiny'), {
    files: {
      'config.json.template': configTemplate({
        mounts: [
          { destination: '/proc', type: 'proc', source: 'proc' },
          { destination: '/state', type: 'bind', source: '/var/lib/tiny/x', options: ['rbind'] },
        ],
      }),
      'tmpfiles.template': 'd /var/lib/tiny 0700 0 0 - -\nd /var/lib/tiny/x 0700 0 0 - -\n',
    },
    entries: [
      { path: 'exports/hostfs/etc/tiny/tiny.conf', content: 'a=b\n' },
      { path: 'exports/hostfs/etc/tiny/link', type: 'symlink', link: 'tiny.conf' },
      { path: 'etc/passwd', content: 'root:x:0:0::/:/bin/sh\n' },
    ],
  });
  await berth('pull', reference);
  pristine = await snapshotChanging(host);
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

async function berth(...args: readonly string[]): Promise<void> {
  const result = await host.berth(...args);
  assert.equal(result.status, 0, `berth ${args.join(' ')}\n${result.stderr}`);
}

/** The tree with an installed container, without what has the time of installation in it. */
async function look(): Promise<TreeSnapshot> {
  const snapshot = new Map(await snapshotChanging(host));
  for (const name of ['deployment.json', 'launch.plan']) {
    const path = `var/lib/berth/tiny.0/${name}`;
    snapshot.set(path, snapshot.get(path)?.replace(/ \d+ bytes .*/, '') ?? 'missing');
  }
  return snapshot;
}

/** Whatever the moment: the NAME link leads to a complete deployment, no file is torn, readers see no half state. */
async function assertNothingTorn(): Promise<void> {
  await host.sh(`
    if [ -L /var/lib/berth/tiny ]; then
      for file in deployment.json config.json launch.plan rootfs/probe; do test -s /var/lib/berth/tiny/$file; done
    fi
    for file in /etc/systemd/system/tiny.service /etc/systemd/system/tiny.service.d/10-berth.conf /etc/tmpfiles.d/tiny.conf /etc/tiny/tiny.conf; do
      if [ -e $file ]; then test -s $file; fi
    done`);
  await berth('list');
}

async function assertPristine(): Promise<void> {
  assert.deepEqual(compareSnapshots(pristine, await snapshotChanging(host)), []);
}

test('an install that is killed is finished or undone by what comes next', async (t) => {
  const points = await findKillPoints(host, ['install', reference]);
  installed = await look();
  await berth('uninstall', '--purge', 'tiny');
  await assertPristine();
  t.diagnostic(`${points.length} calls that change something`);
  assert.ok(points.length > 30, `only ${points.length}`);
  const chosen = sample(points);
  let killed = 0;
  for (const [index, point] of chosen.entries()) {
    await t.test(`${point.call} ${point.when}`, async () => {
      const { status } = await berthKilledAt(host, ['install', reference], point);
      killed += status === 137 ? 1 : 0;
      await assertNothingTorn();
      if (index % 2 === 0) await berth('recover');
      if (index % 4 < 3) {
        await berth('install', reference);
        assert.deepEqual(compareSnapshots(installed, await look()), []);
        await berth('uninstall', '--purge', 'tiny');
      } else {
        // It is there or it is not; what says so leaves nothing.
        const gone = await host.berth('uninstall', '--purge', 'tiny');
        assert.ok([0, 66].includes(gone.status), gone.stderr);
        await berth('recover');
      }
      await assertPristine();
    });
  }
  assert.ok(killed >= chosen.length * 0.8, `only ${killed} of ${chosen.length} were killed`);
});

test('an uninstall that is killed is finished by what comes next', async (t) => {
  await berth('install', reference);
  const points = await findKillPoints(host, ['uninstall', '--purge', 'tiny']);
  await assertPristine();
  t.diagnostic(`${points.length} calls that change something`);
  assert.ok(points.length > 15, `only ${points.length}`);
  const chosen = sample(points);
  let killed = 0;
  for (const [index, point] of chosen.entries()) {
    await t.test(`${point.call} ${point.when}`, async () => {
      await berth('install', reference);
      const { status } = await berthKilledAt(host, ['uninstall', '--purge', 'tiny'], point);
      killed += status === 137 ? 1 : 0;
      await berth('list');
      if (index % 2 === 0) await berth('recover');
      const gone = await host.berth('uninstall', '--purge', 'tiny');
      assert.ok([0, 66].includes(gone.status), gone.stderr);
      await berth('recover');
      await assertPristine();
    });
  }
  assert.ok(killed >= chosen.length * 0.8, `only ${killed} of ${chosen.length} were killed`);
});
