import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { debianImageLayers } from '../support/debian-image.js';
import { pushExports } from '../support/exports-image.js';
import { pushImage } from '../support/push-image.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import type { CommandResult } from '../support/run-command.js';
import { suites } from '../support/suites.js';
import { buildTar } from '../support/tar-builder.js';

// Scanners that run: an image, and a program of the host. They look for a file; what they may do beside is nothing.

/** Looks for /etc/secret below each root; `$1` is where the roots are, `$2` where the results go. */
const SCANNER = `#!/bin/sh
echo "scanning with $3"
for root in "$1"/*; do
  name=\${root##*/}
  $(command -v mkdir || echo busybox mkdir) "$2/$name"
  (: >"$root/written") 2>/dev/null && echo "the root can be written" >"$2/$name/json" && continue
  found=
  [ ! -e "$root/etc/secret" ] || found='{"Title": "a secret \\u001b[31m", "Severity": "High", "Custom": {"path": "/etc/secret"}}'
  printf '{"UUID": "/scanin/%s", "Scanner": "secrets", "Successful": "true", "Vulnerabilities": [%s]}' "$name" "$found" >"$2/$name/json"
done
`;

const [suite] = suites.slice(-1);
let registry: RealRegistry;
let host: BootedHost;

before(async () => {
  assert.ok(suite !== undefined);
  registry = await startRegistry();
  const [base = ''] = await debianImageLayers('redis');
  const layer = buildTar([{ path: 'scan.sh', content: SCANNER, mode: 0o755 }]);
  await pushImage(registry.target('scanner'), 'latest', {
    layers: [{ content: { path: base } }, { content: layer }],
    process: { Entrypoint: ['/bin/sh'], Env: ['PATH=/bin:/usr/bin'] },
  });
  await pushExports(registry.target('clean'));
  await pushExports(registry.target('leaky'), {
    entries: [{ path: 'etc/secret', content: 'x\n' }],
  });
  host = await bootHost({ suite });
  await host.network.exposePort(registry.port);
  await host.sh(`
    mkdir -p /etc/atomic.d /etc/berth/scanners.d
    cat >/etc/atomic.d/secrets <<'END'
type: scanner
scanner_name: secrets
image_name: ${registry.host}/scanner
default_scan: files
scans: [
  { name: files, args: ['/scan.sh', '/scanin', '/scanout', 'an image'], description: "looks for /etc/secret" },
  { name: nothing, args: ['-c', 'echo it did nothing >&2'], description: "" },
  { name: broken, args: ['-c', 'echo broken >&2; exit 3'] },
]
END
    cat >/etc/berth/scanners.d/local <<'END'
type: scanner
scanner_name: local
command: [/bin/sh, -c, 'exec /usr/local/bin/scan-secrets "$SCANIN" "$SCANOUT" "$@"', sh]
scans:
  - name: files
    args: [a program]
END
    echo 'type: [' >/etc/atomic.d/nonsense`);
  await host.runOk(
    ['sh', '-c', 'cat >/usr/local/bin/scan-secrets; chmod 755 /usr/local/bin/scan-secrets'],
    { input: SCANNER },
  );
  for (const name of ['clean', 'leaky'])
    await host.runOk([...BERTH, 'install', '--no-enable', `${registry.host}/${name}:latest`]);
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

const BERTH = ['node', '/opt/berth/dist/bin/berth.cjs'];

const scan = (...args: readonly string[]): Promise<CommandResult> => host.berth('scan', ...args);

/** What a scan may leave: its results. */
async function assertNothingLeft(): Promise<void> {
  assert.equal(
    await host.sh('ls -A /run/berth/.scan /var/lib/berth/.mounts'),
    '/run/berth/.scan:\n\n/var/lib/berth/.mounts:\n',
  );
  assert.equal(await host.sh('grep -c "/run/berth/.scan" /proc/self/mountinfo || true'), '0\n');
  assert.equal(await host.sh('ls /var/lib/berth | grep run- || true'), '');
}

test('the scanners of both folders are listed, and what is wrong is told in a line', async () => {
  const json = await scan('--json', '--list');
  assert.equal(json.status, 0, json.stderr);
  const list = await scan('--list');
  assert.equal(list.status, 0, list.stderr);
  assert.match(
    list.stdout,
    /^local\n {2}command \/bin\/sh [^]*secrets\n[^]*scan files \*: looks for \/etc\/secret\n/,
  );
  assert.match(
    list.stderr,
    /^berth: \/etc\/atomic\.d\/nonsense: line \d: [^\n]+; leaving it out\n$/,
  );
  const several = await scan('clean');
  assert.equal(several.status, 78);
  assert.match(several.stderr, /choose one with '--scanner'/);
  const mistyped = await scan('--scanner', 'secrest', 'clean');
  assert.equal(mistyped.status, 78, 'a file that cannot be read may be the one');
  assert.match(mistyped.stderr, /nonsense: line/);
  await host.sh('rm /etc/atomic.d/nonsense');
  assert.match((await scan('--scanner', 'secrest', 'clean')).stderr, /did you mean 'secrets'/);
  await host.sh('printf \'[scan]\\ndefault-scanner = "secrets"\\n\' >/etc/berth/berth.conf');
});

test('an image scans containers and images, and the status says whether it found something', async () => {
  const clean = await scan('clean');
  assert.deepEqual([clean.status, clean.stderr.includes('scanning')], [0, false], clean.stderr);
  assert.match(clean.stdout, /^clean \(clean\.0\): nothing found\n/);
  const all = await scan('--all', '--verbose');
  assert.equal(all.status, 1, all.stderr);
  assert.match(all.stderr, /scanning with an image/);
  assert.match(
    all.stdout,
    /leaky:latest \(sha256:\w+\): 1 found\n {2}! a secret \\x1b\[31m \(High\)\n {6}path: \/etc\/secret\n/,
  );
  assert.match(all.stdout, /leaky \(leaky\.0\): 1 found\n/);
  assert.match(all.stdout, /secrets \(files\): 2 with findings, 3 without, 0 failed\n/);
  const kept = /^results: (.*)$/m.exec(all.stdout)?.[1] ?? '';
  assert.match(await host.sh(`cat ${kept}/leaky.0/json`), /a secret/);
  await assertNothingLeft();
});

test('a program of the host scans a folder and a container', async () => {
  await host.sh('mkdir -p /srv/root/etc; : >/srv/root/etc/secret');
  const json = await scan('--json', '--scanner', 'local', '--rootfs', '/srv/root', 'clean');
  assert.equal(json.status, 1, json.stderr);
  const outcome = JSON.parse(json.stdout) as {
    scanned: { name: string; status: string; report: { findings: { title: string }[] } }[];
  };
  assert.deepEqual(
    outcome.scanned.map(({ name, status }) => [name, status]),
    [
      ['/srv/root', 'found'],
      ['clean', 'clean'],
    ],
  );
  assert.equal(await host.sh('ls -A /srv/root'), 'etc\n');
  await assertNothingLeft();
});

test('a scanner that fails is no clean result', async () => {
  const broken = await scan('--scan_type', 'broken', 'clean');
  assert.equal(broken.status, 65);
  assert.match(broken.stderr, /secrets ended with status 3: broken\n/);
  const nothing = await scan('--scan_type', 'nothing', 'clean');
  assert.equal(nothing.status, 65);
  assert.match(nothing.stdout, /^clean \(clean\.0\): failed: the scanner wrote no result\n/);
  assert.match(nothing.stderr, /there is no result of clean\n/);
  assert.equal((await scan('no-such-thing')).status, 66);
  assert.equal((await scan()).status, 64);
  await assertNothingLeft();
});

test('what a killed scan left mounted goes with the next one', async () => {
  await host.sh(`
    cat >/etc/berth/scanners.d/slow <<'END'
type: scanner
scanner_name: slow
command: [/bin/sh, -c, ': >/run/scans; exec sleep 600']
scans: [{name: any}]
END
    ${BERTH.join(' ')} scan --scanner slow leaky clean >/dev/null 2>&1 &
    timeout 60 sh -c 'until [ -e /run/scans ]; do sleep 0.05; done'
    kill -9 $!
    grep -q "/run/berth/.scan" /proc/self/mountinfo`);
  assert.equal((await scan('clean')).status, 0);
  await assertNothingLeft();
});
