import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertOk } from '../support/command-asserts.js';
import { type BootedHost, bootHost } from '../support/booted-host.js';
import { configTemplate, pushExports, type ExportsSketch } from '../support/exports-image.js';
import { snapshotChanging } from '../support/refused.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import { shortSoak } from '../support/short-soak.js';
import { compareSnapshots } from '../support/tree-snapshot.js';
import { waitUntil } from '../support/wait-until.js';
import { choosePoints } from '../torture/kill-points.js';
import { superviseOn } from '../torture/on-booted-host.js';

// Sockets, timers and paths of images: what starts the service of a container, and changes, goes back and goes with it.

const suites = ['bookworm', 'forky'] as const;

let registry: RealRegistry;
const hosts = new Map<string, BootedHost>();

before(async () => {
  registry = await startRegistry();
  for (const suite of suites) {
    const host = await bootHost({ suite, prepare: shortSoak });
    await host.network.exposePort(registry.port);
    hosts.set(suite, host);
  }
  for (const version of ['1', '2', '3']) await pushWeb(version);
  await pushWeb('bad', { args: ['/probe', 'exit', '3'] });
  await pushWeb('moved', { listen: '127.0.0.1:9' });
  await pushWeb('timed', {
    'socket.template': undefined,
    'service.template': '[Service]\nExecStart=$EXEC_START\n',
    'timer.template': TIMER,
    args: ['/probe', 'deaf'],
  });
  await pushWeb('plain', {
    'socket.template': undefined,
    'service.template': '[Service]\nExecStart=$EXEC_START\n[Install]\nWantedBy=multi-user.target\n',
    args: ['/probe', 'deaf'],
  });
});

after(async () => {
  for (const host of hosts.values()) await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

/** No [Install]: it starts when it is wanted. */
const SERVICE = '[Service]\nType=notify\nExecStart=$EXEC_START\n';

const TIMER =
  '[Timer]\nOnCalendar=daily\nPersistent=true\nOnActiveSec=$AFTER\nAccuracySec=1ms\n[Install]\nWantedBy=timers.target\n';

const SHOWING = configTemplate({
  process: { user: { uid: 0, gid: 0 }, args: ['/probe', 'show', '/proc/self/comm'], cwd: '/' },
});

const MANIFEST = JSON.stringify({ defaultValues: { PORT: '127.0.0.1:7', AFTER: '1d' } });

interface WebSketch extends Readonly<Record<string, unknown>> {
  readonly args?: readonly string[];
  readonly listen?: string;
  readonly 'service.template'?: string;
  readonly 'socket.template'?: string | undefined;
  readonly 'timer.template'?: string;
}

/** A server whose answers begin with its version. */
async function pushWeb(version: string, sketch: WebSketch = {}): Promise<void> {
  const { args = ['/probe', 'echo', `v${version} `], listen = '$PORT', ...files } = sketch;
  const image: ExportsSketch = {
    files: {
      'service.template': SERVICE,
      'socket.template': `[Socket]\nListenStream=${listen}\n[Install]\nWantedBy=sockets.target\n`,
      'config.json.template': configTemplate({
        process: { user: { uid: 0, gid: 0 }, args, cwd: '/' },
      }),
      'manifest.json': MANIFEST,
      ...(files as Record<string, string | undefined>),
    },
    comment: version,
  };
  await pushExports(registry.target('web'), image, version);
}

const web = (version: string): string => `${registry.host}/web:${version}`;

/** One line, and what comes back. */
async function ask(host: BootedHost, port = 7): Promise<string> {
  const script = `exec 3<>/dev/tcp/127.0.0.1/${port}; echo ahoy >&3; head -n 1 <&3`;
  const { stdout, stderr } = await host.runInNetwork(['timeout', '20', 'bash', '-c', script]);
  return stdout === '' ? stderr : stdout;
}

async function stateOf(host: BootedHost, unit: string): Promise<string> {
  const { ActiveState, UnitFileState } = await host.unit(unit);
  return `${ActiveState ?? ''} ${UnitFileState ?? ''}`;
}

async function berth(host: BootedHost, ...args: readonly string[]): Promise<string> {
  return assertOk(await host.berth(...args)).stdout;
}

/** Connects again and again until it is disposed of; gives how often nobody listened. */
function hammer(host: BootedHost): { stop(): Promise<{ asked: number; refused: string }> } {
  const script = `n=0; until [ -e "$1" ]; do
      if ! { exec 3<>/dev/tcp/127.0.0.1/7; } 2>/dev/null; then echo refused; fi
      echo ahoy >&3; timeout 5 head -n 1 <&3 >/dev/null; exec 3>&-; n=$((n+1)); done; echo "asked $n"`;
  const flag = host.outside('/run/enough');
  const running = host.runInNetwork(['bash', '-c', script, 'bash', flag], { timeoutMs: 60_000 });
  return {
    stop: async () => {
      await host.sh('touch /run/enough');
      const { stdout } = await running;
      await host.sh('rm /run/enough');
      const asked = Number(/asked (\d+)/.exec(stdout)?.[1] ?? 0);
      return { asked, refused: stdout.replace(/asked.*\n/, '') };
    },
  };
}

for (const suite of suites) {
  test(`what starts a container on ${suite}`, async (t) => {
    const host = hosts.get(suite);
    assert.ok(host !== undefined);
    // What systemd keeps of timers it keeps in a folder that is there from the first one on.
    await host.sh('mkdir -p /var/lib/systemd/timers');
    await berth(host, 'pull', web('1'));
    const pristine = await snapshotChanging(host);

    await t.test('a plan says what listens where, and who starts the service', async () => {
      const plan = await berth(host, 'install', '--plan', '--name', 'web', web('1'));
      assert.match(plan, /web\.socket, line 2: listens at '127\.0\.0\.1:7' \(ListenStream=\)/);
      assert.match(plan, /by web\.socket \(ListenStream=127\.0\.0\.1:7\), up at boot/);
    });

    await t.test('an installed socket waits, and the first connection starts it', async () => {
      const said = await berth(host, 'install', '--start', '--name', 'web', web('1'));
      assert.match(said, /web\.socket is active/);
      assert.equal(await stateOf(host, 'web.socket'), 'active enabled');
      assert.equal(await stateOf(host, 'web.service'), 'inactive static');
      assert.match(await berth(host, 'list'), /^web +waiting +enabled /m);
      assert.match(await berth(host, 'status', 'web'), /Socket: web\.socket, active \(listening\)/);
      assert.equal(await ask(host), 'v1 ahoy\n');
      await host.waitForMessage('web.service', /LISTEN_FDS=1 .* LISTEN_PID is mine/);
      assert.match(await berth(host, 'list'), /^web +active +enabled /m);
      assert.match(await berth(host, 'verify', 'web'), /^web\.0: as installed$/m);
    });

    await t.test('an update while it is connected to refuses nobody', async () => {
      const { ActiveEnterTimestampMonotonic: since } = await host.unit('web.socket');
      const connections = hammer(host);
      const said = await berth(host, 'update', '--rebase', web('2'), 'web');
      const { asked, refused } = await connections.stop();
      assert.match(said, /web/);
      assert.equal(refused, '', 'a connection was refused');
      assert.ok(asked > 0);
      assert.equal(await ask(host), 'v2 ahoy\n');
      assert.equal((await host.unit('web.socket'))['ActiveEnterTimestampMonotonic'], since);
    });

    await t.test('one that fails goes back, and is connected to all the while', async () => {
      const failed = await host.berth('update', '--rebase', web('bad'), 'web');
      assert.notEqual(failed.status, 0);
      assert.match(failed.stderr, /web\.service/);
      assert.equal(await ask(host), 'v2 ahoy\n');
      assert.equal(await stateOf(host, 'web.socket'), 'active enabled');
    });

    await t.test('where it listens can be changed, and going back changes it back', async () => {
      await berth(host, 'update', '--set', 'PORT=127.0.0.1:8', 'web');
      assert.equal(await ask(host, 8), 'v2 ahoy\n');
      assert.match(await ask(host), /refused/);
      await berth(host, 'rollback', 'web');
      assert.equal(await ask(host), 'v2 ahoy\n');
      assert.match(await ask(host, 8), /refused/);
    });

    await t.test('a new address takes consent', async () => {
      const refused = await host.berth('update', '--rebase', web('moved'), 'web');
      assert.equal(refused.status, 77, refused.stderr);
      assert.match(refused.stderr, /web\.socket listens at '127\.0\.0\.1:9' \(ListenStream=\)/);
      assert.equal(await ask(host), 'v2 ahoy\n');
      await berth(host, 'update', '--allow-new-permissions', '--rebase', web('moved'), 'web');
      assert.equal(await ask(host, 9), 'vmoved ahoy\n');
      await berth(host, 'rollback', 'web');
    });

    await t.test(
      'stopping it stops its socket, too, and a restart leaves the socket up',
      async () => {
        await berth(host, 'stop', 'web');
        assert.equal(await stateOf(host, 'web.socket'), 'inactive enabled');
        assert.match(await ask(host), /refused/);
        assert.equal((await host.berth('status', 'web')).status, 3);
        await berth(host, 'start', 'web');
        assert.equal(await stateOf(host, 'web.service'), 'inactive static');
        assert.equal(await ask(host), 'v2 ahoy\n');
        const { MainPID: pid } = await host.unit('web.service');
        await berth(host, 'restart', 'web');
        assert.equal(await ask(host), 'v2 ahoy\n');
        assert.notEqual((await host.unit('web.service'))['MainPID'], pid);
      },
    );

    await t.test('a socket that is down while its service runs is told of, and left', async () => {
      await host.runOk(['systemctl', 'stop', 'web.socket']);
      await host.runOk(['systemctl', 'start', 'web.service']);
      const { status, stdout, stderr } = await host.berth('start', 'web');
      assert.equal(status, 0, stderr);
      assert.equal(stdout, 'web started\n');
      assert.match(
        stderr,
        /web\.socket stays down, as web\.service runs already: 'berth restart web' brings both up\n$/,
      );
      const json: unknown = JSON.parse(await berth(host, 'start', '--json', 'web'));
      assert.deepEqual(json, [{ name: 'web', action: 'started', leftDown: ['web.socket'] }]);
      assert.equal(await stateOf(host, 'web.socket'), 'inactive enabled');
      await berth(host, 'restart', 'web');
      assert.equal(await stateOf(host, 'web.socket'), 'active enabled');
      assert.equal(await ask(host), 'v2 ahoy\n');
    });

    await t.test(
      'one that rests is updated, and its socket goes where nothing needs it',
      async () => {
        await host.runOk(['systemctl', 'stop', 'web.service']);
        assert.equal(await stateOf(host, 'web.service'), 'inactive static');
        await berth(host, 'update', '--rebase', web('3'), 'web');
        assert.equal(await stateOf(host, 'web.service'), 'inactive static');
        assert.equal(await ask(host), 'v3 ahoy\n');
        await berth(host, 'update', '--rebase', web('timed'), 'web');
        assert.match(await stateOf(host, 'web.socket'), /^inactive $/);
        assert.equal(await stateOf(host, 'web.timer'), 'active enabled');
        await host.sh('test ! -e /etc/systemd/system/sockets.target.wants/web.socket');
        await berth(host, 'rollback', 'web');
        assert.equal(await ask(host), 'v3 ahoy\n');
        assert.match(await stateOf(host, 'web.timer'), /^inactive $/);
      },
    );

    await t.test(
      'one that only waited runs where its new version has nothing to wait for',
      async () => {
        await host.runOk(['systemctl', 'stop', 'web.service']);
        await berth(host, 'update', '-y', '--rebase', web('plain'), 'web');
        assert.equal(await stateOf(host, 'web.service'), 'active enabled');
        await berth(host, 'rollback', 'web');
        assert.equal(await ask(host), 'v3 ahoy\n');
        assert.equal(await stateOf(host, 'web.service'), 'active static');
      },
    );

    await t.test(
      'an update that is killed is finished or undone, and the socket is up',
      async () => {
        const args = ['update', '--rebase', web('2'), 'web'];
        const { status, stderr, calls } = await superviseOn(host, args);
        assert.equal(status, 0, stderr);
        await berth(host, 'rollback', 'web');
        for (const { number } of choosePoints(calls, { root: '', limit: 3 })) {
          const killed = await superviseOn(host, ['update', '--retry', ...args.slice(1)], {
            killAt: number,
          });
          assert.equal(killed.fired, 'killed', killed.stderr);
          await berth(host, 'recover');
          const config: string = await host.sh('cat /var/lib/berth/web/config.json');
          const version: string = /"v(\d) "/.exec(config)?.[1] ?? 'none';
          assert.equal(await ask(host), `v${version} ahoy\n`, 'what answers is what is installed');
          assert.equal(await stateOf(host, 'web.socket'), 'active enabled');
          assert.equal(await host.sh('ls -A /var/lib/berth/.journal'), '');
          if (version === '2') await berth(host, 'rollback', 'web');
        }
      },
    );

    await t.test('a job runs when its timer says so, and waits for it after a boot', async () => {
      await pushWeb('job', {
        'socket.template': undefined,
        'service.template': '[Service]\nType=oneshot\nExecStart=$EXEC_START\n',
        'timer.template': TIMER,
        args: ['/probe', 'show', '/proc/self/comm'],
      });
      await berth(host, 'install', '--name', 'job', '--set', 'AFTER=200ms', web('job'));
      assert.equal(await stateOf(host, 'job.timer'), 'inactive enabled');
      await berth(host, 'start', 'job');
      await host.waitFor('job.service', { ActiveState: 'inactive', Result: 'success' });
      await waitUntil('a run of the job', async () => {
        const { LastTriggerUSec: last = '' } = await host.unit('job.timer');
        assert.match(last, /\d/);
        return true;
      });
      assert.match(await berth(host, 'status', 'job'), /Timer: job\.timer, active .* next at 2/);
      await berth(host, 'update', '--set', 'AFTER=1d', 'job');
      assert.equal(await stateOf(host, 'job.timer'), 'active enabled');
      await host.reboot();
      assert.equal(await stateOf(host, 'job.timer'), 'active enabled');
      assert.equal(await stateOf(host, 'web.socket'), 'active enabled');
      assert.equal(await stateOf(host, 'web.service'), 'inactive static');
      assert.equal(await ask(host), 'v3 ahoy\n');
    });

    await t.test('an image without units runs at the times that it is given', async () => {
      const files = { 'config.json.template': SHOWING, 'service.template': undefined };
      const image: ExportsSketch = { files, comment: 'timed' };
      await pushExports(registry.target('web'), image, 'unitless');
      const install = ['install', '--start', '--name', 'timed', '--on-calendar', '*-*-* *:*:*'];
      await berth(host, ...install, web('unitless'));
      assert.equal(await stateOf(host, 'timed.timer'), 'active enabled');
      // For systemd a minute is accurate enough.
      const dropIn = '/run/systemd/system/timed.timer.d';
      await host.sh(
        `mkdir -p ${dropIn}; printf '[Timer]\\nAccuracySec=1ms\\n' >${dropIn}/soon.conf; systemctl daemon-reload; systemctl restart timed.timer`,
      );
      await host.waitFor('timed.service', { Result: 'success', Type: 'oneshot' });
      await waitUntil('a run of the job', async () => {
        const { ExecMainStartTimestamp: ran = '' } = await host.unit('timed.service');
        assert.match(ran, /\d/);
        return true;
      });
      await berth(host, 'uninstall', '--purge', 'timed');
      await host.sh(`rm -r ${dropIn}; systemctl daemon-reload`);
    });

    await t.test('the file of a socket goes with the version that had it', async () => {
      const there = async (): Promise<string> => (await host.sh('cd /srv && ls')).trim();
      await pushWeb('filed', {
        'socket.template': '[Socket]\nListenStream=$AT\n',
        'manifest.json': JSON.stringify({ defaultValues: { AT: '/srv/one.sock' } }),
      });
      await berth(host, 'install', '--start', '--name', 'file', web('filed'));
      assert.equal(await there(), 'one.sock');
      await berth(host, 'update', '-y', '--set', 'AT=/srv/two.sock', 'file');
      assert.equal(await there(), 'two.sock');
      await berth(host, 'rollback', 'file');
      assert.equal(await there(), 'one.sock');
      await berth(host, 'stop', 'file');
      assert.equal(await there(), 'one.sock', 'systemd leaves it');
      assert.match(await berth(host, 'uninstall', '--plan', 'file'), /- \/srv\/one\.sock$/m);
      await host.sh('cp -a /srv/one.sock /run/file.sock');
      await berth(host, 'uninstall', 'file');
      assert.equal(await there(), '');
      await pushWeb('piped', { 'socket.template': '[Socket]\nListenFIFO=/srv/%i.fifo\n' });
      await berth(host, 'install', '--name', 'piped@', web('piped'));
      await berth(host, 'start', 'piped@one');
      assert.equal(await there(), 'one.fifo');
      await berth(host, 'uninstall', 'piped@');
      assert.equal(await there(), '');
      // What lies in a place of its own is taken.
      const own = ['--set', 'AT=/run/file.sock', web('filed')];
      await berth(host, 'install', '--start', '--name', 'file', ...own);
      assert.equal(await stateOf(host, 'file.socket'), 'active static');
      await berth(host, 'uninstall', 'file');
      await host.sh('test ! -e /run/file.sock');
    });

    await t.test('uninstalling leaves nothing of them', async () => {
      await berth(host, 'uninstall', '--purge', 'web', 'job');
      assert.match(await stateOf(host, 'web.socket'), /^inactive $/);
      assert.match(await ask(host), /refused/);
      assert.deepEqual(compareSnapshots(pristine, await snapshotChanging(host)), []);
    });
  });
}
