import { parseArgs } from 'node:util';

import { type BootedHost } from '../support/booted-host.js';
import { suites, systemdVersion, type Suite } from '../support/suites.js';
import { compareSnapshots, type TreeSnapshot } from '../support/tree-snapshot.js';
import { drawBootChain, readBootChain } from './boot-chain.js';
import { demoContainers, installContainers, runBerth, startDemoHost } from './demo-host.js';
import { type DemoPage, formatPage } from './page.js';
import { chooseStyle } from './style.js';

// The demonstration: a fresh host is booted, three containers are installed on it from a registry, it is restarted, and
// a page tells what came of it. Nothing is left on the machine but the cache of trees and images.

const started = performance.now();
const { values } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    suite: { type: 'string', default: 'trixie' },
  },
});
const suite = suites.find((candidate) => candidate === values.suite);
if (suite === undefined) {
  process.stderr.write(`demo: no suite '${values.suite}'; there are ${suites.join(', ')}\n`);
  process.exitCode = 64;
} else {
  await demonstrate(suite, values.keep);
}

function say(text: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
  process.stderr.write(`demo ${seconds} s  ${text}\n`);
}

async function demonstrate(release: Suite, keep: boolean): Promise<void> {
  say(`booting a fresh Debian ${release} with systemd ${systemdVersion[release]}`);
  await using place = await startDemoHost(release);
  const { host } = place;
  const before = await host.snapshot();
  say('installing etcd, flanneld and docker from a registry');
  const installed = await installContainers(place);
  // From here on the registry is not needed: a host boots without one.
  await place.registry[Symbol.asyncDispose]();
  say('restarting the host');
  await host.reboot();
  for (const name of demoContainers) {
    await host.waitFor(`${name}.service`, { ActiveState: 'active', SubState: 'running' }, 60_000);
  }
  say('reading its journal');
  const page = await writePage({ host, release, installed, keep });
  if (keep) {
    await host.runOk(['ln', '-s', '/opt/berth/dist/bin/berth.cjs', '/usr/local/bin/berth']);
    process.stdout.write(formatPage(page, chooseStyle(process.stdout, process.env)));
    say('the host goes on running until you press Ctrl-C');
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => undefined, 60_000);
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        process.once(signal, () => {
          clearInterval(timer);
          resolve();
        });
      }
    });
    return;
  }
  say('uninstalling again');
  const fact = await uninstallFact(host, before);
  process.stdout.write(
    formatPage({ ...page, facts: [...page.facts, fact] }, chooseStyle(process.stdout, process.env)),
  );
}

interface PageInput {
  readonly host: BootedHost;
  readonly release: Suite;
  readonly installed: DemoPage['installed'];
  readonly keep: boolean;
}

async function writePage({ host, release, installed, keep }: PageInput): Promise<DemoPage> {
  const chain = await readBootChain(host, demoContainers);
  const [etcd, flanneld, docker] = demoContainers.map((name) =>
    chain.find((start) => start.name === name),
  );
  if (etcd === undefined || flanneld === undefined || docker === undefined) {
    throw new Error('a container was not started');
  }
  const inOrder = etcd.readyMs < flanneld.startingMs && flanneld.readyMs < docker.startingMs;
  if (!inOrder)
    throw new Error(`the containers were not started in order: ${JSON.stringify(chain)}`);
  const bridge = (await host.sh('ip -brief -4 address show docker0')).trim().split(/\s+/)[2] ?? '';
  const size = Number((await host.sh('du -sk /var/lib/berth')).split('\t')[0]) / 1024;
  const where = await places(host);
  const listing = await host.sh(
    'systemd-cgls --no-pager --unit etcd.service flanneld.service docker.service',
  );
  const restarting = performance.now();
  await host.runOk(['systemctl', 'restart', 'etcd']);
  const restartMs = performance.now() - restarting;
  return {
    title: 'berth: OCI images as systemd services',
    lead: [
      `A fresh Debian ${release} with systemd ${systemdVersion[release]} was booted, with nothing on it but systemd. Three images were`,
      'installed from a registry. Then the registry was stopped, and the host restarted.',
    ],
    installed,
    chain: drawBootChain(chain, {
      columns: 60,
      notes: {
        etcd: 'says itself when it serves',
        flanneld: 'took a subnet from etcd',
        docker: `its bridge is ${bridge}`,
      },
    }),
    chainVerdict:
      'Each was ready before the next was started. No daemon, engine or registry took part.',
    places: where,
    processes: listing.trimEnd().split('\n'),
    facts: [
      ['on disk', `${size.toFixed(0)} MB in /var/lib/berth, each file once`],
      ...chain.map(
        (start) =>
          [
            `memory of ${start.name}`,
            `${(start.memoryKib / 1024).toFixed(1)} MB, all its processes`,
          ] as const,
      ),
      ['systemctl restart etcd', `${restartMs.toFixed(0)} ms until it served again`],
    ],
    next: nextSteps(host, keep),
  };
}

async function places(host: BootedHost): Promise<DemoPage['places']> {
  const version = (await host.sh('readlink /var/lib/berth/etcd')).trim();
  const rows: (readonly [string, string])[] = [
    ['/var/lib/berth/etcd', `→ ${version}, the deployment that runs`],
    [`/var/lib/berth/${version}/rootfs`, 'the image, checked out; containers see it read-only'],
    [`/var/lib/berth/${version}/config.json`, 'what the image asked for, rendered'],
    [`/var/lib/berth/${version}/launch.plan`, 'the same compiled, for the launcher'],
    ['/etc/systemd/system/etcd.service', "the image's own unit"],
    ['/etc/systemd/system/etcd.service.d/10-berth.conf', 'what berth adds to it'],
    ['/etc/tmpfiles.d/etcd.conf', 'its directories'],
    ['/usr/local/bin/etcdctl', 'a tool that the image brought to the host'],
    ['/var/lib/etcd', 'its data'],
  ];
  const there = await Promise.all(
    rows.map(async ([path]) => (await host.run(['test', '-e', path])).status === 0),
  );
  return rows.filter((_row, index) => there[index]);
}

function nextSteps(host: BootedHost, keep: boolean): DemoPage['next'] {
  const enter = `nsenter -t ${host.leader} -m -u -i -n -p -C -r -w`;
  if (keep) {
    return [
      [enter, 'enter the host; there, for example:'],
      ['  systemctl status etcd flanneld docker', 'they are services like any other'],
      ['  journalctl -u flanneld -b', 'what it said at this boot'],
      ['  berth list', 'what berth knows of them'],
      ['  berth update --no-pull --set ETCD_NAME=first etcd', 'the same image with another value'],
      ['  berth rollback etcd', 'and back; the registry is not needed'],
      ['  berth uninstall docker', 'and away it is'],
    ];
  }
  return [
    ['npm run demo -- --keep', 'the same, and the host stays for you to look around in'],
    ['npm run demo -- --suite bookworm', 'the same with systemd 252; forky has 262'],
    ['node dist/bin/berth.cjs install --plan IMAGE', 'what an image would do to this machine'],
    ['node dist/bin/berth.cjs install --system --start IMAGE', 'do it'],
  ];
}

async function uninstallFact(
  host: BootedHost,
  before: TreeSnapshot,
): Promise<readonly [string, string]> {
  await runBerth(host, ['uninstall', '--purge', ...demoContainers.toReversed()]);
  const differences = compareSnapshots(before, await host.snapshot()).filter(
    (line) => !/^. \/var\/lib\/berth(\/|:)/.test(line),
  );
  return differences.length === 0
    ? [
        'berth uninstall',
        `${before.size} names compared with those before: none differs, but for the store`,
      ]
    : [
        'berth uninstall',
        `left ${differences.length} differences, the first: ${differences[0] ?? ''}`,
      ];
}
