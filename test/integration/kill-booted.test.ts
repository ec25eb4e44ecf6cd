import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { configTemplate, pushExports } from '../support/exports-image.js';
import { snapshotChanging } from '../support/refused.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import { compareSnapshots, type TreeSnapshot } from '../support/tree-snapshot.js';
import { choosePoints } from '../torture/kill-points.js';
import { superviseOn } from '../torture/on-booted-host.js';
import type { SupervisedCall } from '../torture/supervise.js';

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

/** Calls of a command that ends well, of every kind and phase some. */
async function findPoints(
  args: readonly string[],
  limit: number,
): Promise<readonly SupervisedCall[]> {
  const { status, stderr, calls } = await superviseOn(host, args);
  assert.equal(status, 0, stderr);
  const toBus = calls.filter(({ places }) => places.includes('bus'));
  assert.ok(toBus.length >= 3, 'what is said to systemd counts');
  return choosePoints(calls, { root: '', limit });
}

async function killAt(args: readonly string[], { number }: SupervisedCall): Promise<void> {
  const { fired, status, stderr } = await superviseOn(host, args, { killAt: number });
  assert.equal(fired, 'killed', `the kill did not come, berth ended with ${status}: ${stderr}`);
}

const nameOf = ({ number, call, places }: SupervisedCall): string =>
  `${number} ${call} ${places.join(' ')}`;

test('an install that is killed is finished or undone by what comes next', async (t) => {
  const points = await findPoints(['install', reference], 24);
  installed = await look();
  await berth('uninstall', '--purge', 'tiny');
  await assertPristine();
  for (const [index, point] of points.entries()) {
    await t.test(nameOf(point), async () => {
      await killAt(['install', reference], point);
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
      }
      await assertPristine();
    });
  }
});

test('an uninstall that is killed is finished by what comes next', async (t) => {
  await berth('install', reference);
  const points = await findPoints(['uninstall', '--purge', 'tiny'], 12);
  await assertPristine();
  for (const [index, point] of points.entries()) {
    await t.test(nameOf(point), async () => {
      await berth('install', reference);
      await killAt(['uninstall', '--purge', 'tiny'], point);
      await berth('list');
      if (index % 2 === 0) await berth('recover');
      // After the last step nothing is left that could be finished.
      const gone = await host.berth('uninstall', '--purge', 'tiny');
      assert.ok([0, 66].includes(gone.status), gone.stderr);
      await assertPristine();
    });
  }
});
