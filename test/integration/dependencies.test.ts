import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { assertOk } from '../support/command-asserts.js';
import { pushExports } from '../support/exports-image.js';
import { startRegistry } from '../support/registry.js';
import { runCommand } from '../support/run-command.js';
import { suites } from '../support/suites.js';

// Containers that need others, started and stopped by systemd, and what `berth graph` says of them.

interface Graph {
  readonly nodes: readonly { readonly unit: string; readonly container?: string }[];
  readonly edges: readonly {
    readonly first: string;
    readonly then: string;
    readonly ordered: boolean;
    readonly pulls: readonly string[];
    readonly reasons: readonly Readonly<Record<string, unknown>>[];
  }[];
  readonly cycles: readonly (readonly string[])[];
}

/** Units of the host, of which the first waits for the second. */
async function prepareUnits(tree: string): Promise<void> {
  const folder = join(tree, 'etc/systemd/system');
  const unit = (order: string): string => `[Unit]\n${order}\n[Service]\nExecStart=/bin/true\n`;
  await writeFile(join(folder, 'late.service'), unit('After=early.service'));
  await writeFile(join(folder, 'early.service'), unit('Description=Early'));
}

async function graphOf(host: BootedHost, ...args: readonly string[]): Promise<Graph> {
  const result = await host.berth('graph', '--json', ...args);
  assertOk(result);
  return JSON.parse(result.stdout) as Graph;
}

for (const suite of suites) {
  test(`containers that need each other: ${suite}`, async (t) => {
    await using registry = await startRegistry();
    await using host = await bootHost({ suite, prepare: prepareUnits });
    await host.network.exposePort(registry.port);
    const push = async (
      name: string,
      manifest: Readonly<Record<string, unknown>>,
    ): Promise<string> => {
      const files = { 'manifest.json': JSON.stringify({ version: '1.0', ...manifest }) };
      await pushExports(registry.target(name), { files, comment: name });
      return `${registry.host}/${name}:latest`;
    };
    await push('etcd', { provides: ['key-value-store'] });
    const app = await push('app', {
      requires: ['key-value-store', 'etcd'],
      after: ['network-online.target', 'early'],
    });

    await t.test('what it needs is installed with it, and started before it', async () => {
      const missing = await host.berth('install', app);
      assert.equal(missing.status, 69, missing.stderr);
      assert.match(missing.stderr, /'etcd', 'key-value-store'/);
      const plan = await host.berth('install', '--with-dependencies', '--plan', app);
      assertOk(plan);
      assert.match(plan.stdout, /Install etcd from[^]*Install app from/);
      assertOk(await host.berth('install', '--with-dependencies', '--start', app));
      assert.equal((await host.unit('etcd.service'))['ActiveState'], 'active');
      assert.equal((await host.unit('app.service'))['ActiveState'], 'active');
      const times = await host.sh(
        'systemctl show --value -p ActiveEnterTimestampMonotonic etcd; systemctl show --value -p InactiveExitTimestampMonotonic app',
      );
      const [etcd = 0, started = 0] = times.trim().split('\n').map(Number);
      assert.ok(etcd > 0 && etcd <= started, `${etcd} ${started}`);
    });

    await t.test('the host’s own units count in a cycle', async () => {
      const bad = await push('bad', { after: ['late'], before: ['early'] });
      const refused = await host.berth('install', bad);
      assert.equal(refused.status, 65, refused.stderr);
      assert.match(refused.stderr, /: bad -> late -> early -> bad\n/);
      const first = await push('first', { before: ['sysinit.target'] });
      const early = await host.berth('install', first);
      assert.equal(early.status, 65, early.stderr);
      assert.match(early.stderr, /sysinit\.target -> first\n/);
    });

    await t.test('graph says who waits for whom, and who says so', async () => {
      const { nodes, edges, cycles } = await graphOf(host);
      assert.deepEqual(cycles, []);
      assert.deepEqual(
        nodes.filter((node) => node.container !== undefined).map((node) => node.unit),
        ['app.service', 'etcd.service'],
      );
      const edge = edges.find(
        ({ first, then }) => first === 'etcd.service' && then === 'app.service',
      );
      assert.deepEqual(edge?.pulls, ['Requires']);
      assert.ok(edge.ordered);
      const dropIn = '/etc/systemd/system/app.service.d/10-berth.conf';
      const lines = (await host.sh(`cat ${dropIn}`)).split('\n');
      for (const directive of ['Requires', 'After']) {
        const reason: Readonly<Record<string, unknown>> | undefined = edge.reasons.find(
          (one) => one['directive'] === directive,
        );
        assert.equal(reason?.['file'], dropIn);
        assert.equal(lines[Number(reason['line']) - 1], `${directive}=etcd.service`);
      }
      assert.ok(edge.reasons.some((one) => one['kind'] === 'image' && one['says'] === 'requires'));
      const target = edges.find(
        ({ first, then }) => first === 'etcd.service' && then === 'multi-user.target',
      );
      assert.deepEqual(target?.pulls, ['Wants']);
      assert.match(JSON.stringify(target.reasons), /WantedBy.*a target waits for the units/);
      const all = await graphOf(host, '--all', 'etcd');
      assert.ok(all.edges.length > edges.length);
      assert.match(JSON.stringify(all.edges), /RequiresMountsFor= has a path on that mount/);
      assert.match(JSON.stringify(all.edges), /DefaultDependencies= of every service/);
      const text = await host.berth('graph');
      assert.match(
        text.stdout,
        /^ {2}starts after early\.service\n.*After= .*10-berth\.conf:\d+\n/m,
      );
    });

    await t.test('the picture is well-formed, and a cycle is named in it', async () => {
      await host.sh(
        'mkdir -p /etc/systemd/system/etcd.service.d; printf "[Unit]\\nAfter=app.service\\n" >/etc/systemd/system/etcd.service.d/50-bad.conf; systemctl daemon-reload',
      );
      const { cycles } = await graphOf(host, 'app');
      assert.deepEqual(cycles, [['app.service', 'etcd.service', 'app.service']]);
      const svg = (await host.berth('graph', '--format', 'svg')).stdout;
      const checked = await runCommand(
        ['python3', '-c', 'import sys, xml.dom.minidom as m; m.parse(sys.stdin)'],
        { input: svg },
      );
      assert.equal(checked.status, 0, checked.stderr);
      assert.match(svg, /class="cycle"/);
      const dot = (await host.berth('graph', '--format', 'dot')).stdout;
      assert.match(dot, /"etcd\.service" -> "app\.service" \[.*color=red/);
      await host.sh(
        'rm -r /etc/systemd/system/etcd.service.d/50-bad.conf; systemctl daemon-reload',
      );
    });

    await t.test('what is required is not uninstalled; after a reboot both run', async () => {
      const refused = await host.berth('uninstall', 'etcd');
      assert.equal(refused.status, 1, refused.stderr);
      assert.match(refused.stderr, /app requires it/);
      await host.reboot();
      await host.waitFor('app.service', { ActiveState: 'active' });
      const boot = await host.berth('graph', '--boot');
      assertOk(boot);
      assert.match(
        boot.stdout,
        /^app: took [\d.]+ m?s, began at [\d.]+ m?s\n {2}waited for \S+, active at/m,
      );
      assertOk(await host.berth('uninstall', 'etcd', 'app'));
    });
  });
}
