import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { configTemplate, pushExports, SERVICE_TEMPLATE } from '../support/exports-image.js';
import { snapshotChanging } from '../support/refused.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import { compareSnapshots, type TreeSnapshot } from '../support/tree-snapshot.js';
import { waitUntil } from '../support/wait-until.js';
import { choosePoints } from '../torture/kill-points.js';
import { superviseOn } from '../torture/on-booted-host.js';
import type { SupervisedCall } from '../torture/supervise.js';

// F12: berth is killed at calls spread over all that change something; what comes next (the same command, `berth recover`,
// or the opposite one) brings the host to where it would be had nothing happened.

/** Kills of each command; `npm run torture -- --only booted` has more of them. */
const KILLS = process.env['BERTH_TEST_KILLS'];
const LIMIT = Number(KILLS ?? 4);

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
  for (const version of ['1', '2', '3']) {
    await pushExports(registry.target('live'), liveImage(version), version);
    await berth('pull', live(version));
  }
  await pushExports(registry.target('db'));
  await berth('pull', `${registry.host}/db:latest`);
  await host.sh(
    'mkdir -p /etc/berth; printf \'[health]\\nsoak = "200ms"\\n\' >/etc/berth/berth.conf',
  );
  pristine = await snapshotChanging(host);
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

const live = (version: string): string => `${registry.host}/live:${version}`;

/** A service that says of which version it is; unit, host files and configuration differ. The third requires another one. */
function liveImage(version: string): Parameters<typeof pushExports>[1] {
  const variables = { PASSWORD: { secret: true, required: true } };
  return {
    files: {
      'service.template': SERVICE_TEMPLATE.replace(
        '[Service]',
        `Documentation=man:v${version}\n[Service]`,
      ),
      'config.json.template': configTemplate({
        process: { user: { uid: 0, gid: 0 }, args: ['/probe', 'deaf', `--v=${version}`], cwd: '/' },
      }),
      'manifest.json': JSON.stringify({
        variables,
        ...(version === '3' ? { requires: ['db'] } : {}),
      }),
    },
    entries: [
      { path: 'exports/hostfs/etc/live/live.conf', content: `version=${version}\n` },
      { path: `exports/hostfs/etc/live/only${version}.conf`, content: 'only here\n' },
    ],
  };
}

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

const SECRET = 'tr0ub4dor-and-3-more';

/** The version that runs, by what its process was started with; undefined where none does. */
async function findRunning(): Promise<string | undefined> {
  const said = await host.sh(`
    group=$(systemctl show --value -p ControlGroup live.service)
    for pid in $([ -z "$group" ] || cat "/sys/fs/cgroup$group/cgroup.procs" 2>/dev/null); do
      tr '\\0' ' ' <"/proc/$pid/cmdline"; echo
    done`);
  return /^\/probe deaf --v=(\d)/m.exec(said)?.[1];
}

/** The version that the NAME link leads to. */
async function findInstalled(): Promise<string> {
  const text = await host.sh('cat /var/lib/berth/live/config.json');
  return /--v=(\d)/.exec(text)?.[1] ?? 'none';
}

/** Right after a kill: I1 to I4, I6, I10 and I14, as far as they hold before anything is recovered. */
async function assertOneOf(versions: readonly string[]): Promise<void> {
  assert.ok(versions.includes(await findInstalled()));
  await host.sh(`
    for file in deployment.json config.json launch.plan rootfs/probe credentials/PASSWORD; do test -s /var/lib/berth/live/$file; done
    for file in /etc/systemd/system/live.service /etc/systemd/system/live.service.d/10-berth.conf /etc/live/live.conf; do test -s $file; done`);
  await berth('list');
  // The window between stop and start, which is in the journal; the status of a unit that failed tells why. A service
  // counts as started a moment before its program runs.
  await waitUntil(`a version of ${versions.join(' and ')} that runs`, async () => {
    const running = await findRunning();
    if (running !== undefined) {
      assert.ok(versions.includes(running), `version ${running} runs`);
      return true;
    }
    const journal = await host.sh('ls -A /var/lib/berth/.journal');
    assert.match(journal, /live\.json/, await host.sh('systemctl status live.service || true'));
    return true;
  });
}

/** After what finishes or undoes it: one version alone, whole, running, and nothing that is not of it. */
async function assertSettled(versions: readonly string[]): Promise<string> {
  const installed = await findInstalled();
  assert.ok(versions.includes(installed), `version ${installed} is installed`);
  await waitUntil('I10 what runs is what is installed', async () => {
    assert.equal(await findRunning(), installed);
    return true;
  });
  assert.equal(await host.sh('ls -A /var/lib/berth/.journal'), '', 'I15');
  assert.match((await host.berth('verify', 'live')).stdout, /^live\.\d+: as installed$/m);
  await berth('fsck');
  const told = await host.sh(
    `grep -rl ${SECRET} /etc /run/berth /var/lib/berth --exclude-dir=credentials || true`,
  );
  assert.equal(told, '', 'I16 a secret stands elsewhere');
  const left = await host.sh(
    "find /etc /var/lib/berth ! -path '*/.store/*' '(' -name '*.berth-tmp-*' -o -name '.new-*' -o -name '.link-*' ')'",
  );
  assert.equal(left, '', 'I13');
  return installed;
}

/** The opposite of everything: I7, I9 and I12. */
async function takeAway(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const gone = await host.berth('uninstall', '--purge', name);
    assert.ok([0, 66].includes(gone.status), gone.stderr);
  }
  await assertPristine();
  assert.equal(
    await host.sh("grep -l '^/probe' /proc/[0-9]*/cmdline 2>/dev/null || true"),
    '',
    'I12',
  );
  assert.equal(await host.sh('grep -c /var/lib/berth /proc/self/mountinfo || true'), '0\n', 'I12');
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
  const points = await findPoints(['install', reference], Number(KILLS ?? 24));
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
  const points = await findPoints(['uninstall', '--purge', 'tiny'], Number(KILLS ?? 12));
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

/** systemd-run asks systemd more or less often while a program ends: the last calls of all do not always come. */
async function killRunAt(args: readonly string[], { number }: SupervisedCall): Promise<void> {
  for (const less of [0, 6, 12, 24]) {
    const { fired, status, stderr } = await superviseOn(host, args, { killAt: number - less });
    if (fired === 'killed') return;
    assert.equal(status, 0, stderr);
  }
  assert.fail(`the kill at ${number} did not come`);
}

test('a run of an image that is killed leaves nothing that recovery does not find', async (t) => {
  const args = ['run', reference, '--', '/probe', 'exit', '0'];
  const points = await findPoints(args, Number(KILLS ?? 8));
  await assertPristine();
  for (const [index, point] of points.entries()) {
    await t.test(nameOf(point), async () => {
      await killRunAt(args, point);
      await berth('list');
      // The program may go on for a moment: systemd runs it.
      await waitUntil('the end of the program', async () => {
        assert.equal(await host.sh('systemctl list-units --all --no-legend "berth-run*"'), '');
        return true;
      });
      if (index % 2 === 0) await berth('recover');
      else await berth(...args);
      assert.equal((await host.berth('list', '-q')).stdout, '');
      assert.equal(await host.sh('ls -A /var/lib/berth/.journal'), '', 'I15');
      assert.equal(await host.sh('ls -A /run/berth | grep run || true'), '');
      await assertPristine();
    });
  }
});

async function installLive(): Promise<void> {
  await host.runOk(['sh', '-c', `umask 077; printf %s ${SECRET} >/run/password`]);
  await berth(
    'install',
    '--start',
    '--name',
    'live',
    '--set',
    'PASSWORD=@/run/password',
    live('1'),
  );
}

const UPDATE = (): readonly string[] => ['update', '-y', '--rebase', live('2'), 'live'];
const BACK = ['rollback', 'live'];
/** Not by an update: the version that somebody went back from is not taken again by itself. */
const FORTH = ['rollback', '--to', '1', 'live'];

/** Points of a command from a start that `prepare` makes, which is left pristine. */
async function findPointsFrom(
  prepare: () => Promise<void>,
  args: readonly string[],
  limit: number,
): Promise<readonly SupervisedCall[]> {
  await prepare();
  const points = await findPoints(args, limit);
  await takeAway('live', 'db');
  return points;
}

async function updated(): Promise<void> {
  await installLive();
  await berth(...UPDATE());
}

test('F12 an update and a rollback of what runs, killed, are finished or undone by what comes next', async (t) => {
  const verbs = [
    { name: 'update', prepare: installLive, args: UPDATE(), opposite: BACK, to: '2', from: '1' },
    { name: 'rollback', prepare: updated, args: BACK, opposite: FORTH, to: '1', from: '2' },
  ];
  for (const { name, prepare, args, opposite, to, from } of verbs) {
    const points = await findPointsFrom(prepare, args, LIMIT);
    for (const [index, point] of points.entries()) {
      await t.test(`${name}: ${nameOf(point)}`, async () => {
        await prepare();
        await killAt(args, point);
        await assertOneOf([from, to]);
        if (index % 3 !== 1) {
          await berth('recover');
          await assertSettled([from, to]);
        }
        if (index % 3 === 2) {
          // Where nothing was done there is nothing to go back to.
          const back = await host.berth(...opposite);
          assert.ok([0, 66].includes(back.status), back.stderr);
          await assertSettled([from]);
        } else {
          const again = await host.berth(...args);
          // A rollback that was finished has gone back already; once more goes forth again.
          assert.equal(again.status, 0, again.stderr);
          await assertSettled(name === 'rollback' ? [from, to] : [to]);
        }
        await takeAway('live');
      });
    }
  }
});

test('F12 an update that installs what it requires, killed anywhere in between, never stands without it', async (t) => {
  const args = ['update', '-y', '--with-dependencies', '--rebase', live('3'), 'live'];
  const points = (await findPointsFrom(installLive, args, Infinity)).filter(
    // Where one of the two is written down as begun, or as done.
    ({ places }) => places.some((place) => place.includes('/.journal')),
  );
  assert.ok(points.length >= 8, `${points.length} calls`);
  for (const point of points.filter((_, index) => index % Math.ceil(points.length / LIMIT) === 0)) {
    await t.test(nameOf(point), async () => {
      await installLive();
      await killAt(args, point);
      await assertOneOf(['1', '3']);
      await berth('recover');
      const version = await assertSettled(['1', '3']);
      const others = await host.sh('ls -d /var/lib/berth/db 2>/dev/null || true');
      if (version === '3') assert.notEqual(others, '', 'it stands without what it requires');
      await berth(...args);
      await assertSettled(['3']);
      assert.match((await host.berth('verify', 'db')).stdout, /^db\.\d+: as installed$/m);
      await takeAway('live', 'db');
    });
  }
});
