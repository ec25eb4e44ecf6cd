import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { projectRoot } from '../support/cache-folder.js';
import { debianImageLayers } from '../support/debian-image.js';
import { each } from '../support/each.js';
import { configTemplate, pushExports } from '../support/exports-image.js';
import { pushImage } from '../support/push-image.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import type { CommandResult } from '../support/run-command.js';
import { suites } from '../support/suites.js';
import { waitUntil } from '../support/wait-until.js';

// Programs that berth runs inside running containers: `berth exec`, and the check of an image's health.

let registry: RealRegistry;
const hosts = new Map<string, BootedHost>();

/** A shell that only waits, and what it is asked to answer for. */
async function pushBox(
  name: string,
  healthcheck?: Readonly<Record<string, unknown>>,
): Promise<void> {
  const [base = ''] = await debianImageLayers('redis');
  await pushImage(registry.target(name), 'latest', {
    layers: [{ content: { path: base } }],
    process: {
      Entrypoint: ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1; done'],
      Env: ['PATH=/bin:/usr/bin', 'COLOUR=blue'],
      WorkingDir: '/tmp',
      ...(healthcheck === undefined ? {} : { Healthcheck: healthcheck }),
    },
  });
}

const SECOND = 1_000_000_000;

/** Checks, and what the verdict has to be. */
const checks: readonly {
  readonly name: string;
  readonly script: string;
  /** For those that take longer, whatever it is: what they print by then has to be there. */
  readonly timeoutSeconds?: number;
  readonly unwell?: RegExp;
}[] = [
  { name: 'passes', script: 'test "$COLOUR" = blue -a "$(pwd)" = /tmp' },
  {
    name: 'fails',
    script: 'echo one; echo it is broken >&2; exit 3',
    unwell: /^fails\.service: its check ended with status 3: it is broken/,
  },
  {
    name: 'hangs',
    script: 'setsid sleep 4321 & sleep 4321',
    timeoutSeconds: 0.5,
    unwell: /^hangs\.service: its check did not end within 0\.5 s/,
  },
  {
    name: 'floods',
    script:
      'busybox yes yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy',
    timeoutSeconds: 1,
    unwell: /^floods\.service: its check did not end within 1 s: y+; its log/,
  },
  {
    name: 'misses',
    script: 'exec /not/there',
    unwell: /^misses\.service: its check ended with status 127/,
  },
];

before(async () => {
  registry = await startRegistry();
  await pushBox('box');
  for (const { name, script, timeoutSeconds = 20 } of checks) {
    await pushBox(name, {
      Test: ['CMD-SHELL', script],
      Interval: SECOND / 5,
      Timeout: timeoutSeconds * SECOND,
      Retries: 1,
    });
  }
  const process = { user: { uid: 0, gid: 0 }, args: ['/bin/sleep', '4000'], cwd: '/' };
  for (const [name, changes] of [
    ['rooted', {}],
    ['reaped', { annotations: { 'berth.init': 'true' } }],
    ['replaced', { linux: { namespaces: [{ type: 'mount' }] } }],
  ] as const)
    await pushExports(registry.target(name), {
      files: { 'config.json.template': configTemplate({ process, ...changes }) },
    });
  for (const suite of suites) {
    const host = await bootHost({ suite });
    await host.network.exposePort(registry.port);
    hosts.set(suite, host);
    await install(host, 'box');
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

async function install(host: BootedHost, name: string): Promise<void> {
  const main = '/opt/berth/dist/bin/berth.cjs';
  await host.runOk(['node', main, 'install', '--start', `${registry.host}/${name}`], {
    env: { BERTH_HEALTH_SOAK: '0.5' },
  });
}

function inBox(suite: string, script: string, input = ''): Promise<CommandResult> {
  const command = ['exec', 'box', '--', '/bin/sh', '-c', script];
  return hostOf(suite).run(['node', '/opt/berth/dist/bin/berth.cjs', ...command], { input });
}

/** What decides what a process may do. (Seccomp is no measure: the host of the test has a filter of its own.) */
const RIGHTS = /^(?:Uid|Gid|Groups|Cap\w+|NoNewPrivs):.*$/gm;

for (const suite of suites) {
  test(`${suite}: exec runs a program as the container's own, and in it alone`, async () => {
    const seen = await inBox(
      suite,
      'pwd; echo $COLOUR $HOME; busybox ls /; for i in cgroup ipc mnt net pid uts; do busybox readlink /proc/1/ns/$i; busybox readlink /proc/self/ns/$i; done',
    );
    assert.equal(seen.status, 0, seen.stderr);
    const [cwd, env, ...rest] = seen.stdout.split('\n');
    assert.deepEqual([cwd, env], ['/tmp', 'blue /root']);
    assert.ok(rest.includes('bin') && !rest.includes('opt'), seen.stdout);
    const namespaces = rest.filter((line) => line.includes(':['));
    assert.equal(namespaces.length, 12);
    namespaces.forEach((line, index) => {
      if (index % 2 === 1) assert.equal(line, namespaces[index - 1]);
    });
    const [own, main] = [
      await inBox(suite, 'cat /proc/self/status'),
      await inBox(suite, 'cat /proc/1/status'),
    ].map(({ stdout }) => stdout.match(RIGHTS));
    assert.ok((own?.length ?? 0) >= 9);
    assert.deepEqual(own, main);
  });

  test(`${suite}: exec runs a program as another user of the container, where it says`, async () => {
    const as = (args: readonly string[], script: string): Promise<CommandResult> => {
      const command = ['exec', ...args, 'box', '--', '/bin/sh', '-c', script];
      return hostOf(suite).run(['node', '/opt/berth/dist/bin/berth.cjs', ...command]);
    };
    const who = 'cat /proc/self/status; echo "$HOME $(pwd)"';
    for (const [user, words] of [
      ['33', /^Uid:\t33\t33\t33\t33\nGid:\t33\t/m],
      ['www-data', /^Uid:\t33\t33\t33\t33\nGid:\t33\t[^]*\n\/var\/www \/tmp$/m],
      ['www-data:4', /^Gid:\t4\t4\t4\t4\n[^]*^Groups:\t4 \n/m],
      ['0', /^Uid:\t0\t[^]*\n\/root \/tmp$/m],
    ] as const) {
      const { status, stdout, stderr } = await as(['-u', user], who);
      assert.equal(status, 0, stderr);
      assert.match(stdout, words);
      const isRoot = user === '0';
      assert.match(stdout, isRoot ? /^CapEff:\t0*[1-9a-f]/m : /^CapPrm:\t0+\nCapEff:\t0+$/m);
      assert.deepEqual(
        stdout.match(/^(?:CapBnd|CapInh|NoNewPrivs):.*$/gm),
        (await inBox(suite, 'cat /proc/1/status')).stdout.match(
          /^(?:CapBnd|CapInh|NoNewPrivs):.*$/gm,
        ),
      );
    }
    const elsewhere = await as(['--run-as', 'www-data', '--workdir', '/usr', '-e', 'HOME=/x'], who);
    assert.match(elsewhere.stdout, /\n\/x \/usr$/m);
    for (const [args, status, says] of [
      [['-u', 'nobody-there'], 64, /the image has no user 'nobody-there'/],
      [['-u', '1:nobodies'], 64, /the image has no group 'nobodies'/],
      [['-u', '-1'], 64, /'-1'/],
      [['-w', 'usr'], 64, /absolute path/],
      [['-w', '/usr/../etc'], 64, /absolute path/],
    ] as const) {
      const refused = await as(args, 'echo it ran');
      assert.deepEqual([refused.status, refused.stdout], [status, ''], refused.stderr);
      assert.match(refused.stderr, says);
    }
    const nowhere = await as(['-w', '/not/there'], 'echo it ran');
    assert.notEqual(nowhere.status, 0);
    assert.equal(nowhere.stdout, '', nowhere.stderr);
    assert.match(nowhere.stderr, /\/not\/there/);
  });

  test(`${suite}: C-root nothing of the host's mounts is left in the namespace, above or below the root`, async () => {
    const { stdout } = await inBox(suite, 'cat /proc/self/mountinfo');
    const lines = stdout.trim().split('\n');
    const roots = lines.filter((line) => line.split(' ')[4] === '/');
    assert.equal(roots.length, 1, stdout);
    assert.ok(!lines.some((line) => line.split(' ')[4]?.startsWith('/opt')), stdout);
  });

  test(`${suite}: C-exec nothing of the host's is open in it, and there is no terminal to type into`, async () => {
    const listed = await inBox(suite, 'busybox ls -l /proc/self/fd; echo </dev/tty');
    const open = listed.stdout.split('\n').filter((line) => line.includes('->'));
    assert.ok(open.length >= 3, listed.stderr);
    for (const line of open)
      assert.match(line, / (?:0|1|2|3) -> (?:pipe:|socket:|\/proc\/\d+\/fd)/);
    assert.match(listed.stderr, /tty/);
  });

  test(`${suite}: exec passes input, output, status and signals`, async () => {
    const echoed = await inBox(suite, 'cat; echo aside >&2; exit 7', 'hello\n');
    assert.deepEqual([echoed.status, echoed.stdout, echoed.stderr], [7, 'hello\n', 'aside\n']);
    assert.equal((await inBox(suite, 'kill -9 $$')).status, 137);
    const words = ['exec', '-e', 'COLOUR=red', '-e', 'MORE=a=b', 'box', '--', 'sh', '-c'];
    const set = await hostOf(suite).berth(...words, 'echo $COLOUR $MORE $HOME');
    assert.equal(set.stdout, 'red a=b /root\n', set.stderr);
    const opened = await inBox(suite, 'echo by path >/dev/stderr; echo again >/proc/self/fd/1');
    assert.deepEqual([opened.stdout, opened.stderr], ['again\n', 'by path\n']);
    const asked = await hostOf(suite).run([
      'sh',
      '-c',
      `node /opt/berth/dist/bin/berth.cjs exec box -- sh -c 'trap "echo asked; exit 9" TERM; echo ready; sleep 1000 & wait' >/run/asked &
      timeout 60 sh -c 'until grep -q ready /run/asked; do sleep 0.05; done'
      kill -TERM $!; wait $!; status=$?; cat /run/asked; exit $status`,
    ]);
    assert.deepEqual([asked.status, asked.stdout], [9, 'ready\nasked\n'], asked.stderr);
  });

  test(`${suite}: what it leaves running ends with it`, async () => {
    const left = await inBox(suite, '(setsid sleep 1234 &) ; sleep 1235 & echo done');
    assert.equal(left.stdout, 'done\n', left.stderr);
    const running = await hostOf(suite).run(['pgrep', '-a', 'sleep']);
    assert.ok(!/123[45]/.test(running.stdout), running.stdout);
    // systemd forgets a scope a moment after it has ended it.
    await waitUntil('the end of all scopes', async () => {
      const list = 'systemctl list-units --all --plain --no-legend berth-exec-*';
      assert.equal((await hostOf(suite).runOk(list.split(' '))).trim(), '');
      return true;
    });
  });

  test(`${suite}: CVE-2019-5736 a container that has its own programs run the launcher cannot write to it`, async () => {
    const launcher = join(projectRoot, 'dist/launcher/launch');
    const digest = (): string => createHash('sha256').update(readFileSync(launcher)).digest('hex');
    const before = digest();
    await inBox(
      suite,
      'busybox ln -sf /proc/self/exe /bin/evil; printf "#!/proc/self/exe\\n" >/tmp/evil; busybox chmod 755 /tmp/evil',
    );
    for (const evil of ['/bin/evil', '/tmp/evil']) {
      const run = await hostOf(suite).berth('exec', 'box', '--', evil);
      assert.notEqual(run.status, 0);
    }
    const write = await inBox(
      suite,
      'for p in /proc/[0-9]*; do [ "$p" = /proc/self ] || echo >>"$p/exe"; done; echo tried',
    );
    assert.equal(write.stdout, 'tried\n');
    assert.equal(digest(), before);
  });

  test(`${suite}: what cannot be run is refused in words`, async () => {
    const host = hostOf(suite);
    assert.equal((await host.berth('exec', 'nobox', 'true')).status, 66);
    assert.equal((await host.berth('exec', '-t', 'box', 'true')).status, 64);
    const missing = await host.berth('exec', 'box', '/not/there');
    assert.equal(missing.status, 127);
    assert.match(
      missing.stderr,
      /^berth: cannot start a program in box: running '\/not\/there': No such file/,
    );
    const unknown = await host.berth('exec', 'box', 'no-such-program');
    assert.equal(unknown.status, 127, unknown.stderr);
    for (const path of ['/etc', '/etc/passwd']) {
      const denied = await host.berth('exec', 'box', path);
      assert.equal(denied.status, 126, denied.stderr);
      assert.match(denied.stderr, /Permission denied/);
    }
    const own = await host.berth('exec', 'box', '--', 'sh', '-c', 'exit 203');
    assert.deepEqual([own.status, own.stderr], [203, '']);
    await host.runOk(['systemctl', 'stop', 'box']);
    const stopped = await host.berth('exec', 'box', 'true');
    assert.equal(stopped.status, 69);
    assert.match(
      stopped.stderr,
      /runs no program.*\nhint: 'berth start box' starts it, and 'berth run box COMMAND' runs one/,
    );
    await host.runOk(['systemctl', 'start', 'box']);
  });

  test(`${suite}: a container with the root of the host is entered once its program runs, and not before`, async () => {
    const host = hostOf(suite);
    const own = (await host.runOk(['readlink', '/proc/self/ns/pid'])).trim();
    for (const name of ['rooted', 'reaped', 'replaced']) {
      const image = `${registry.host}/${name}`;
      assert.equal((await host.berth('install', '--no-enable', '--rootfs', '/', image)).status, 0);
      for (let round = 0; round < 2; round += 1) {
        const seen = await host.sh(
          `systemctl restart ${name}; node /opt/berth/dist/bin/berth.cjs exec ${name} -- sh -c 'readlink /proc/self/ns/pid; tr "\\0" " " </proc/1/cmdline'`,
        );
        const [namespace, first = ''] = seen.split('\n');
        assert.match(namespace ?? '', /^pid:/);
        assert.equal(namespace === own, name === 'replaced', 'among the processes of the host');
        if (name === 'rooted') assert.equal(first, '/bin/sleep 4000 ');
      }
      await host.berth('uninstall', name);
    }
  });

  each(`${suite}: a check that`, [...checks], async ({ name, unwell }) => {
    const host = hostOf(suite);
    await install(host, name);
    const script = `
      import { connectUnitManager } from '/opt/berth/dist/src/systemd/connect-unit-manager.js';
      import { resolveHostPaths } from '/opt/berth/dist/src/config/host-paths.js';
      import { getContainer } from '/opt/berth/dist/src/containers/container-directory.js';
      import { watchHealth } from '/opt/berth/dist/src/containers/watch-health.js';
      const manager = connectUnitManager({ mode: 'system' });
      const paths = resolveHostPaths({ mode: 'system', env: {} });
      const host = { paths, openUnitManager: async () => manager, onEvent() {} };
      const deployment = await getContainer(paths, '${name}');
      const options = { dependents: [], signal: new AbortController().signal };
      const verdict = await watchHealth(host, deployment, options);
      console.log(JSON.stringify({ ...verdict, soakMs: deployment.health.soakMs }));
      await manager[Symbol.asyncDispose]();`;
    const out = await host.runOk(['node', '--input-type=module', '--eval', script]);
    const verdict = JSON.parse(out) as { healthy: boolean; reason?: string; soakMs: number };
    assert.equal(verdict.soakMs, 500);
    assert.equal(verdict.healthy, unwell === undefined, verdict.reason);
    if (unwell !== undefined) {
      assert.match(verdict.reason ?? '', unwell);
      assert.ok((verdict.reason ?? '').length < 2_500 && !verdict.reason?.includes('\n'));
    }
    const { stdout } = await host.run(['pgrep', '-a', 'sleep|yes']);
    assert.ok(!/4321|yyy/.test(stdout), `left running: ${stdout}`);
    await host.berth('uninstall', name);
  });
}
