import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { bootHost } from '../support/booted-host.js';
import type { DiskOptions } from '../support/host-disk.js';
import { bootedHostRecipe, BUSES } from '../support/host-tree.js';
import { probeProgram } from '../support/probe-program.js';
import type { Figure } from './measure.js';

/** Where the host of {@link measureOnHost} has what the machine keeps in its cache. */
const CACHE = '/var/cache/berth-test';

/** Runtimes, engines and tools in the version of forky, beside which berth is measured, and what they need. */
const PEERS = [
  ...['crun', 'runc', 'podman', 'catatonit', 'skopeo', 'umoci'],
  // importctl loads libcurl where it finds it, and trusts the host's own authorities only.
  ...['systemd-container', 'libcurl4t64', 'ca-certificates', 'openssl'],
  'docker-registry',
  // What berth recommends to have.
  'libisal2',
];

/** Longest time for a part of the benchmark: the curves take the most of it. */
const GUEST_TIMEOUT_MS = 3_600_000;

/**
 * Runs a part of the benchmark on a booted host: systemd in its newest version, control groups of version 2, and the newest
 * peers. `guest` is the name of a program of this folder, which prints its figures as JSON.
 */
export async function measureOnHost(
  guest: string,
  options: {
    readonly args?: readonly string[];
    /** A port of the machine that the host is to reach at its own loopback address. */
    readonly exposePort?: number;
    /** Files of the machine that the host is to have, by their paths there. */
    readonly files?: Readonly<Record<string, string>>;
    readonly varDisk?: DiskOptions;
  } = {},
): Promise<readonly Figure[]> {
  const base = bootedHostRecipe('forky');
  // Debian's own bus: what is compared is the peers of Debian as it installs them.
  const own = base.packages.map((name) => (name === BUSES.forky ? 'dbus' : name));
  const recipe = { ...base, name: 'bench', packages: [...own, ...PEERS] };
  const probe = probeProgram();
  const { args = [], exposePort, files = {}, varDisk } = options;
  await using host = await bootHost({
    suite: 'forky',
    recipe,
    ...(varDisk === undefined ? {} : { varDisk }),
    prepare: (tree) => {
      const place = `${CACHE}/probe/${basename(probe)}`;
      for (const [path, from] of Object.entries({ ...files, [place]: probe })) {
        mkdirSync(dirname(join(tree, path)), { recursive: true });
        copyFileSync(from, join(tree, path));
      }
    },
  });
  if (exposePort !== undefined) await host.network.exposePort(exposePort);
  const text = await host.runOk(['node', `/opt/berth/dist/test/bench/${guest}`, ...args], {
    env: { BERTH_TEST_CACHE: CACHE },
    timeoutMs: GUEST_TIMEOUT_MS,
  });
  return JSON.parse(text) as readonly Figure[];
}
