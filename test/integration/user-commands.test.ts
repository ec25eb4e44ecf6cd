import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { debianImageLayers } from '../support/debian-image.js';
import { configTemplate, pushExports } from '../support/exports-image.js';
import { HostUser } from '../support/host-user.js';
import { pushImage } from '../support/push-image.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import type { CommandResult } from '../support/run-command.js';
import { shortSoak } from '../support/short-soak.js';
import { waitUntil } from '../support/wait-until.js';
import { onTerminal } from '../support/on-terminal.js';

// exec, run, shell, logs, top, stats and checks of health for a container that an ordinary user's service manager runs.

const BERTH = ['node', '/opt/berth/dist/bin/berth.cjs', '--user'];
const SECOND = 1_000_000_000;
let registry: RealRegistry;
let host: BootedHost;
let user: HostUser;

function berth(args: readonly string[], input = ''): Promise<CommandResult> {
  return user.run([...BERTH, ...args], { input });
}

async function pushBox(check: string): Promise<void> {
  const [base = ''] = await debianImageLayers('redis');
  await pushImage(registry.target('box'), 'latest', {
    layers: [{ content: { path: base } }],
    process: {
      Entrypoint: [
        '/bin/sh',
        '-c',
        'echo "box $COLOUR is up" >/dev/stdout; trap "exit 0" TERM; while :; do sleep 1; done',
      ],
      Env: ['PATH=/bin:/usr/bin', 'COLOUR=blue'],
      WorkingDir: '/tmp',
      Healthcheck: {
        Test: ['CMD-SHELL', check],
        Interval: SECOND / 5,
        Timeout: 20 * SECOND,
        Retries: 1,
      },
    },
  });
}

before(async () => {
  registry = await startRegistry();
  await pushBox('true');
  host = await bootHost({ suite: 'trixie', prepare: shortSoak });
  await host.network.exposePort(registry.port);
  user = await HostUser.create(host, 'bob', 1234);
  await user.linger();
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

test('a check of health runs in the container of a user, and what is ill goes back', async () => {
  const installed = await berth(['install', '--start', `${registry.host}/box`]);
  assert.equal(installed.status, 0, installed.stderr);
  await pushBox('test "$COLOUR $(busybox id -u)" = "blue 0" && busybox touch /tmp/checked');
  const updated = await berth(['update', 'box']);
  assert.equal(updated.status, 0, updated.stderr);
  const checked = ['exec', 'box', '--', 'busybox', 'ls', '/tmp/checked'];
  assert.equal((await berth(checked)).status, 0, 'no check ran');
  await pushBox('echo it is broken >&2; exit 3');
  const ill = await berth(['update', 'box']);
  assert.notEqual(ill.status, 0);
  assert.match(ill.stderr, /its check ended with status 3: it is broken/);
  assert.equal(
    (await berth(['exec', 'box', '--', 'busybox', 'true'])).status,
    0,
    'it did not come back',
  );
});

test('a user enters the container with input, output, status and signals', async () => {
  const script = 'cat; pwd; busybox id -u; busybox tr "\\0" " " </proc/1/cmdline; exit 3';
  const inside = await berth(['exec', 'box', '--', 'sh', '-c', script], 'hello\n');
  assert.deepEqual(
    [inside.status, inside.stdout.split('\n').slice(0, 3)],
    [3, ['hello', '/tmp', '0']],
  );
  assert.match(inside.stdout, /\/bin\/sh -c echo "box/);
  const own = await user.run(['sh', '-c', 'readlink /proc/self/ns/user']);
  const theirs = await berth(['exec', 'box', '--', 'busybox', 'readlink', '/proc/self/ns/user']);
  assert.notEqual(theirs.stdout, own.stdout);
  const died = await berth(['exec', 'box', '--', 'sh', '-c', 'kill -TERM $$']);
  assert.equal(died.status, 143, died.stderr);
  const written = await berth(['exec', 'box', '--', 'sh', '-c', 'echo by-path >/dev/stdout']);
  assert.equal(written.stdout, 'by-path\n', written.stderr);
  // An overlay of a user's has marks of its own for what is made anew in the place of the image's.
  const anew = 'busybox rm -r /var && busybox mkdir /var && busybox ls -A /var';
  const emptied = await berth(['exec', 'box', '--', 'sh', '-c', anew]);
  assert.deepEqual([emptied.status, emptied.stdout], [0, ''], emptied.stderr);
  // What it left running goes with it.
  await berth(['exec', 'box', '--', 'sh', '-c', 'sleep 4321 & true']);
  const left = await host.sh("grep -l '^sleep.4321' /proc/[0-9]*/cmdline || true");
  assert.equal(left, '');
});

test('a user has a terminal in the container, whose Ctrl-C reaches the program', async () => {
  const { status, shown } = await onTerminal((argv) => user.run(argv), {
    argv: [...BERTH, 'shell', 'box'],
    dialogue: [
      ['# ', 'sh -c "echo waits; exec sleep 60"\n'],
      ['\nwaits', '\u0003'],
      ['# ', 'tty; echo "got $COLOUR"; exit 5\n'],
    ],
  });
  assert.equal(status, 5, shown);
  assert.match(shown, /got blue\r+\n/);
});

test('logs, top and stats tell a user of the container', async () => {
  await waitUntil('its log', async () => {
    assert.match((await berth(['logs', '-n', '20', 'box'])).stdout, /box blue is up/);
    return true;
  });
  const top = await berth(['top', 'box']);
  assert.match(top.stdout, /^box +\d+ +1234 /m, top.stderr);
  const stats = await berth(['stats', 'box']);
  assert.match(stats.stdout, /box +active/, stats.stderr);
});

test('a user runs a program in the place of a container, or an image for once', async () => {
  assert.equal((await berth(['stop', 'box'])).status, 0);
  const run = ['run', 'box', '--', 'sh', '-c', 'cat; echo $COLOUR; busybox id -u; exit 6'];
  const stopped = await berth(run, 'in\n');
  assert.deepEqual([stopped.status, stopped.stdout], [6, 'in\nblue\n0\n'], stopped.stderr);
  const fresh = await berth([
    'run',
    `${registry.host}/box`,
    '--',
    'sh',
    '-c',
    'echo fresh; exit 2',
  ]);
  assert.deepEqual([fresh.status, fresh.stdout], [2, 'fresh\n'], fresh.stderr);
  assert.equal(await host.sh('ls -A /run/user/1234/berth | grep run || true'), '');
});

test('what only root can give is said by name, and the rest runs', async () => {
  const user = { uid: 33, gid: 34, additionalGids: [5] };
  const rlimits = [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 4_000_000_000 }];
  await pushExports(registry.target('wish'), {
    files: {
      'config.json.template': configTemplate({
        process: { user, rlimits, args: ['/probe', 'deaf'], cwd: '/' },
        linux: {
          namespaces: [{ type: 'pid' }, { type: 'mount' }],
          resources: { memory: { limit: 100_000_000 }, devices: [{ allow: false, access: 'rwm' }] },
        },
      }),
    },
  });
  const { status, stderr } = await berth(['install', '--start', `${registry.host}/wish`]);
  assert.equal(status, 0, stderr);
  for (const warning of [
    /groups 5 are not given/,
    /RLIMIT_NOFILE is \d+, which only root can raise/,
    /MemoryMax= has no effect: .* 'memory'/,
  ])
    assert.match(stderr, warning);
  const { stdout } = await berth(['exec', 'wish', '--', '/probe', 'show']);
  assert.match(stdout, /uid 33 gid 34$/m);
});

test('a changed config.json is taken over as the user can have it', async () => {
  const folder = `${user.home}/.local/share/berth/box`;
  await user.run(['sed', '-i', 's/"COLOUR=blue"/"COLOUR=red"/', `${folder}/config.json`]);
  const applied = await berth(['apply', 'box']);
  assert.equal(applied.status, 0, applied.stderr);
  assert.equal((await berth(['start', 'box'])).status, 0);
  const { stdout, stderr } = await berth([
    'exec',
    'box',
    '--',
    'sh',
    '-c',
    'echo $COLOUR; cat /proc/self/uid_map',
  ]);
  assert.match(stdout, /^red\n +0 +1234 +1\n$/, stderr);
});
