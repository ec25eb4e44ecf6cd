import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { each } from '../support/each.js';
import { suites } from '../support/suites.js';

// What is watched after an update is native units here: how a verdict comes about has nothing to do with images.

/** Runs {@link watchHealth} on the host as an update does: started, then watched with a short soak. */
const WATCH = `
  import { connectUnitManager } from '/opt/berth/dist/src/systemd/connect-unit-manager.js';
  import { watchHealth } from '/opt/berth/dist/src/containers/watch-health.js';
  import { findActiveDependents } from '/opt/berth/dist/src/containers/find-dependents.js';
  import { DEFAULT_HEALTH_CHECK } from '/opt/berth/dist/src/containers/health-check.js';
  const [unit, soakMs] = process.argv.slice(1);
  await using manager = connectUnitManager({ mode: 'system' });
  const host = { paths: { mode: 'system' }, openUnitManager: async () => manager, onEvent() {} };
  const deployment = { name: 'probe', runtime: 'berth', units: [unit], health: { ...DEFAULT_HEALTH_CHECK, soakMs: Number(soakMs) } };
  const dependents = await findActiveDependents(host, unit);
  await manager.stop(unit, {});
  const { result } = await manager.start(unit, {});
  for (const dependent of dependents) await manager.start(dependent, {});
  const begin = performance.now();
  const verdict = await watchHealth(host, deployment, { dependents, signal: new AbortController().signal });
  console.log(JSON.stringify({ result, dependents, ms: performance.now() - begin, ...verdict }));
`.replace('await using manager', 'const manager');

interface Watched {
  readonly result: string;
  readonly dependents: readonly string[];
  readonly ms: number;
  readonly healthy: boolean;
  readonly reason?: string;
}

const hosts = new Map<string, BootedHost>();

before(async () => {
  for (const suite of suites) hosts.set(suite, await bootHost({ suite }));
});

after(async () => {
  for (const host of hosts.values()) await host[Symbol.asyncDispose]();
});

function hostOf(suite: string): BootedHost {
  const host = hosts.get(suite);
  assert.ok(host !== undefined);
  return host;
}

async function watch(host: BootedHost, unit: string, soakMs: number): Promise<Watched> {
  const script = `${WATCH}\nawait manager[Symbol.asyncDispose]();`;
  const out = await host.runOk([
    'node',
    '--input-type=module',
    '--eval',
    script,
    unit,
    String(soakMs),
  ]);
  return JSON.parse(out) as Watched;
}

async function writeUnit(host: BootedHost, name: string, text: string): Promise<void> {
  await host.runOk(['sh', '-c', 'cat >"/etc/systemd/system/$1"', 'sh', name], { input: text });
  await host.runOk(['systemctl', 'daemon-reload']);
}

/** How long what stays up is watched. */
const SOAK_MS = 700;

/** How long what falls or is done may be watched: it is told at once, and so long before the end. */
const LONG_MS = 60_000;

/** A service is well, or it is told why it is not. */
const services: readonly {
  readonly name: string;
  readonly service: string;
  readonly unwell?: RegExp;
  readonly notSoaked?: boolean;
}[] = [
  { name: 'one that stays', service: 'Type=exec\nExecStart=/bin/sleep 100' },
  {
    name: 'one that forks',
    service:
      'Type=forking\nPIDFile=/run/h.pid\nExecStart=/bin/sh -c "sleep 100 & echo $! >/run/h.pid"',
  },
  {
    name: 'one that says that it is ready',
    service:
      'Type=notify\nNotifyAccess=all\nExecStart=/bin/sh -c "systemd-notify --ready; exec sleep 100"',
  },
  {
    name: 'a oneshot that has done its work',
    service: 'Type=oneshot\nExecStart=/bin/true',
    notSoaked: true,
  },
  {
    name: 'a oneshot that stays',
    service: 'Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true',
  },
  {
    name: 'one that fails a moment later',
    service: 'ExecStart=/bin/sh -c "sleep 0.3; echo cannot bind; exit 3"',
    unwell:
      /^h\.service: it failed \(result 'exit-code', its program ended with status 3\); its log ends with: .*/,
  },
  {
    name: 'one that ends a moment later, content with itself',
    service: 'ExecStart=/bin/sleep 0.3',
    unwell: /^h\.service: it ended \(its program ended with status 0\)/,
  },
  {
    name: 'one that falls over again and again',
    service: 'Restart=always\nRestartSec=50ms\nExecStart=/bin/sh -c "sleep 0.2; kill -9 $$$$"',
    unwell: /^h\.service: it did not stay up.*died of signal 9/,
  },
  {
    name: 'one that is restarted late',
    service: 'Restart=always\nRestartSec=30\nExecStart=/bin/sh -c "sleep 0.2; exit 1"',
    unwell: /^h\.service: it did not stay up.*status 1/,
  },
  {
    name: 'one that was down before it was looked at',
    service: 'ExecStart=/bin/false',
    unwell: /^h\.service: it failed/,
  },
];

for (const suite of suites) {
  each(
    `${suite}: watchHealth() of`,
    services.map((row) => ({ ...row })),
    async ({ service, unwell, notSoaked }) => {
      const host = hostOf(suite);
      await writeUnit(host, 'h.service', `[Service]\n${service}\n`);
      const isSoaked = unwell === undefined && notSoaked !== true;
      const soakMs = isSoaked ? SOAK_MS : LONG_MS;
      const watched = await watch(host, 'h.service', soakMs);
      if (unwell === undefined) {
        assert.deepEqual([watched.healthy, watched.reason], [true, undefined]);
        assert.equal(watched.ms >= soakMs, isSoaked, `${watched.ms} ms`);
      } else {
        assert.equal(watched.healthy, false);
        assert.match(watched.reason ?? '', unwell);
        assert.ok(watched.ms < soakMs / 2, `${watched.ms} ms`);
        assert.ok(!watched.reason?.includes('\n'), watched.reason);
      }
    },
  );

  test(`${suite}: who goes down with a unit is found, and a downfall is told`, async () => {
    const host = hostOf(suite);
    const sleeper = '[Service]\nType=exec\nExecStart=/bin/sleep 100\n';
    await writeUnit(host, 'base.service', sleeper);
    await writeUnit(host, 'near.service', `[Unit]\nRequires=base.service\n${sleeper}`);
    await writeUnit(host, 'far.service', `[Unit]\nBindsTo=near.service\n${sleeper}`);
    await writeUnit(host, 'part.service', `[Unit]\nPartOf=base.service\n${sleeper}`);
    await writeUnit(host, 'idle.service', `[Unit]\nRequires=base.service\n${sleeper}`);
    await writeUnit(host, 'wants.service', `[Unit]\nWants=base.service\n${sleeper}`);
    await host.runOk(['systemctl', 'start', 'far.service', 'part.service', 'wants.service']);
    const well = await watch(host, 'base.service', SOAK_MS);
    assert.deepEqual([...well.dependents].sort(), ['far.service', 'near.service', 'part.service']);
    assert.deepEqual([well.healthy, well.reason], [true, undefined]);
    await host.sh(
      'sed -i \'s|/bin/sleep 100|/bin/sh -c "sleep 0.3; exit 4"|\' /etc/systemd/system/far.service',
    );
    await host.runOk(['systemctl', 'daemon-reload']);
    const down = await watch(host, 'base.service', LONG_MS);
    assert.equal(down.healthy, false);
    assert.match(
      down.reason ?? '',
      /^far\.service, which depends on base\.service, failed \(result 'exit-code', its program ended with status 4\)/,
    );
    await host.runOk(['systemctl', 'stop', 'base.service', 'wants.service']);
  });
}
