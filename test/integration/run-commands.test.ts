import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { debianImageLayers } from '../support/debian-image.js';
import { pushImage } from '../support/push-image.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import type { CommandResult } from '../support/run-command.js';
import { suites } from '../support/suites.js';
import { waitUntil } from '../support/wait-until.js';
import { onTerminal, type TerminalResult } from '../support/on-terminal.js';

// run, shell, logs, top and stats: what a person does with a container that is installed, or for once.

const BERTH = ['node', '/opt/berth/dist/bin/berth.cjs'];
const [suite] = suites.slice(-1);
let registry: RealRegistry;
let host: BootedHost;

function berth(args: readonly string[], input = ''): Promise<CommandResult> {
  return host.run([...BERTH, ...args], { input });
}

async function pushBox(
  name: string,
  config: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const [base = ''] = await debianImageLayers('redis');
  await pushImage(registry.target(name), 'latest', {
    layers: [{ content: { path: base } }],
    process: {
      Entrypoint: [
        '/bin/sh',
        '-c',
        'echo "box $COLOUR is up"; trap "exit 0" TERM; while :; do sleep 1; done',
      ],
      Env: ['PATH=/bin:/usr/bin', 'COLOUR=blue'],
      WorkingDir: '/tmp',
      ...config,
    },
  });
}

before(async () => {
  assert.ok(suite !== undefined);
  registry = await startRegistry();
  await pushBox('box');
  await pushBox('once', {
    Entrypoint: ['/bin/sh', '-c', 'echo done once; exit 7'],
    Labels: { 'atomic.run': 'once' },
  });
  host = await bootHost({ suite });
  await host.network.exposePort(registry.port);
  await host.runOk([...BERTH, 'install', '--start', `${registry.host}/box`]);
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

const IDENTITY = ['sh', '-c', 'busybox grep ^Uid: /proc/self/status; pwd'];

test('run enters a container that runs, and passes status and input', async () => {
  const inside = await berth(['run', 'box', '--', 'sh', '-c', 'cat; pwd; exit 3'], 'hello\n');
  assert.deepEqual([inside.status, inside.stdout], [3, 'hello\n/tmp\n'], inside.stderr);
  const other = await berth(['run', '-u', '33', '-w', '/usr', 'box', '--', ...IDENTITY]);
  assert.equal(other.stdout, 'Uid:\t33\t33\t33\t33\n/usr\n', other.stderr);
  const nothing = await berth(['run', 'box']);
  assert.equal(nothing.status, 64);
  assert.match(nothing.stderr, /runs already/);
});

/** Runs berth on a terminal of the host; see {@link onTerminal}. */
async function talk(
  args: readonly string[],
  dialogue: readonly (readonly [string, string])[],
): Promise<TerminalResult> {
  return onTerminal((argv) => host.run(argv), { argv: [...BERTH, ...args], dialogue });
}

test('run -t and shell give a terminal whose Ctrl-C reaches the program', async () => {
  const run = await talk(['run', '-t', 'box', '--', 'sh', '-c', 'echo end; exit 9'], []);
  assert.equal(run.status, 9, run.shown);
  assert.match(run.shown, /end\r+\n/, 'a terminal makes \\r\\n of line ends');
  const shell = await talk(
    ['shell', 'box'],
    [
      // A job that speaks for itself is in the foreground by then; between two commands the shell would keep Ctrl-C to itself.
      ['# ', 'sh -c "echo waits; exec sleep 60"\n'],
      ['\nwaits', '\u0003'],
      ['# ', 'echo "got $COLOUR"; exit 5\n'],
    ],
  );
  assert.equal(shell.status, 5, shell.shown);
  assert.match(shell.shown, /got blue\r+\n/);
  const plain = await berth(['run', '-t', 'box', '--', 'true']);
  assert.equal(plain.status, 64);
  assert.match(plain.stderr, /needs a terminal/);
});

test('shell reads commands from standard input where there is no terminal', async () => {
  const shell = await berth(['shell', 'box'], 'echo $COLOUR; exit 4\n');
  assert.deepEqual([shell.status, shell.stdout], [4, 'blue\n'], shell.stderr);
  const other = await berth(['shell', '--shell', '/not/there', 'box']);
  assert.equal(other.status, 127, other.stderr);
});

test('logs, top and stats tell of the service', async () => {
  const logs = await berth(['logs', '-n', '20', 'box']);
  assert.match(logs.stdout, /box blue is up/, logs.stderr);
  const json = await berth(['logs', '--json', '-n', '1', 'box']);
  assert.equal(typeof JSON.parse(json.stdout), 'object');
  const top = await berth(['top', 'box']);
  assert.match(top.stdout, /^NAME +PID +USER[^]*box +\d+ +0 [^]*sleep 1|trap/m, top.stderr);
  const processes = JSON.parse((await berth(['top', '--json'])).stdout) as { pid: number }[];
  assert.ok(processes.length >= 2, 'the launcher and the program');
  assert.equal((await berth(['stats', '--json'])).status, 0);
  const stats = await berth(['stats', 'box']);
  assert.match(stats.stdout, /box +active +\d/, stats.stderr);
  for (const command of ['logs', 'top', 'stats', 'shell', 'status']) {
    const mistyped = await berth([command, 'bxo']);
    assert.equal(mistyped.status, 66, command);
    assert.match(mistyped.stderr, /did you mean 'box'/, command);
    assert.equal(mistyped.stderr.trim().split('\n').length, 2, mistyped.stderr);
  }
});

test('logs -f goes on until it is interrupted', async () => {
  // In the background of a script SIGINT would be ignored from the start.
  const follow = await host.run([
    'bash',
    '-c',
    `set -m
    ${BERTH.join(' ')} logs -f -n 1 box >>/run/followed &
    seen() { timeout 60 sh -c "until grep -q '$1' /run/followed; do sleep 0.05; done"; }
    seen . && : >/run/followed && systemctl restart box && seen 'box blue is up'
    kill -INT -- -$!; wait $!; echo "status $?"; cat /run/followed`,
  ]);
  assert.match(follow.stdout, /^status (0|130)\n[^]*box blue is up/, follow.stderr);
  assert.doesNotMatch(follow.stderr, /internal error|at .*\.js/);
});

test('run in a stopped container has its root and rights, and leaves nothing', async () => {
  const stop = await berth(['stop', '--json', 'box', 'bxo']);
  assert.equal(stop.status, 66, 'the other one is told of');
  assert.deepEqual(JSON.parse(stop.stdout), [{ name: 'box', action: 'stopped' }]);
  const stopped = await berth(
    ['run', 'box', '--', 'sh', '-c', 'cat; echo $COLOUR; pwd; exit 6'],
    'in\n',
  );
  assert.deepEqual([stopped.status, stopped.stdout], [6, 'in\nblue\n/tmp\n'], stopped.stderr);
  const other = await berth(['run', '-u', 'www-data', '-w', '/usr', 'box', '--', ...IDENTITY]);
  assert.equal(other.stdout, 'Uid:\t33\t33\t33\t33\n/usr\n', other.stderr);
  for (const [program, status] of [
    ['/not/there', 127],
    ['no-such-program', 127],
    ['/etc/passwd', 126],
  ] as const) {
    const failed = await berth(['run', 'box', '--', program]);
    assert.equal(failed.status, status, failed.stderr);
    assert.match(failed.stderr, /cannot start box: running/);
  }
  assert.equal(await host.sh('ls -A /run/berth | grep "^.run" || true'), '');
  // systemd forgets a unit a moment after it has ended.
  await waitUntil('the end of all units', async () => {
    assert.equal(await host.sh('systemctl list-units --all --no-legend "berth-run*"'), '');
    return true;
  });
  assert.match(await host.runOk([...BERTH, 'start', '--json', 'box']), /"started"/);
  assert.match(await host.runOk([...BERTH, 'restart', '--json', 'box']), /"restarted"/);
});

test('a run that is killed leaves its container to its program, and to recovery after that', async () => {
  const script = `
    ${BERTH.join(' ')} run ${registry.host}/box -- sh -c 'echo runs; sleep 600' >/run/ran 2>&1 &
    timeout 60 sh -c 'until grep -q runs /run/ran; do sleep 0.05; done'
    kill -9 $!
    ${BERTH.join(' ')} recover
    ls /var/lib/berth | grep ^run- | grep -v '[.]'
    systemctl list-units --no-legend --plain 'berth-run-*' | cut -d' ' -f1`;
  const killed = await host.run(['sh', '-c', script]);
  assert.match(
    killed.stdout,
    /^nothing was interrupted\n(run-\w+)\nberth-run-\1\.service\n$/,
    killed.stderr,
  );
  const [, name = '', unit = ''] = killed.stdout.split('\n');
  // Without systemd-run nobody holds it any more, but the program is there.
  await host.sh(
    `kill -9 $(grep -l -e '--uni[t]=${unit}' /proc/[0-9]*/cmdline | grep -v self | cut -d/ -f3)`,
  );
  const alive = await berth(['recover']);
  assert.equal(alive.stdout, 'nothing was interrupted\n', alive.stderr);
  await host.runOk(['test', '-e', `/var/lib/berth/${name}/deployment.json`]);
  await host.runOk(['systemctl', 'stop', unit]);
  const next = await berth(['pin', 'box', '0']);
  assert.match(next.stderr, new RegExp(`interrupted, removing its container '${name}'`));
  const left = await host.sh(
    'ls /etc/systemd/system /var/lib/berth /var/lib/berth/.journal | grep run- || true',
  );
  assert.equal(left, '');
  assert.equal(await host.sh('ls -A /run/berth | grep run || true'), '');
});

test('a signal ends the program of a run, before its container goes', async () => {
  const interrupted = await host.run([
    'sh',
    '-c',
    `${BERTH.join(' ')} run ${registry.host}/box -- sh -c 'echo runs; sleep 600' >/run/signalled 2>&1 &
    timeout 60 sh -c 'until grep -q runs /run/signalled; do sleep 0.05; done'
    kill -TERM $!; wait $!; echo "status $?"; cat /run/signalled`,
  ]);
  assert.match(interrupted.stdout, /^status 143\n/, interrupted.stderr);
  assert.equal(await host.sh("grep -l '^sleep.600' /proc/[0-9]*/cmdline || true"), '');
  assert.equal(await host.sh('ls /var/lib/berth | grep run- || true'), '');
});

test('run of an image is a fresh container for once, and a mistyped name is no image', async () => {
  const fresh = await berth([
    'run',
    `${registry.host}/box`,
    '--',
    'sh',
    '-c',
    'echo fresh; exit 2',
  ]);
  assert.deepEqual([fresh.status, fresh.stdout], [2, 'fresh\n'], fresh.stderr);
  const mistyped = await berth(['run', 'bxo', '--', 'true']);
  assert.equal(mistyped.status, 66, mistyped.stderr);
  assert.match(mistyped.stderr, /did you mean 'box'/);
  const plan = await berth(['install', '--plan', `${registry.host}/once`]);
  assert.match(plan.stdout, /^ {2}runs {4}once, in the foreground, and is removed again$/m);
  const once = await berth(['install', `${registry.host}/once`]);
  assert.deepEqual([once.status, once.stdout], [7, 'done once\n'], once.stderr);
  const list = await berth(['list', '-q']);
  assert.equal(list.stdout, 'box\n');
  const left = await host.sh('ls /etc/systemd/system /var/lib/berth | grep -E "run-|once" || true');
  assert.equal(left.trim(), '');
});
