import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';

import { bootHost } from '../support/booted-host.js';
import { bootedHostRecipe } from '../support/host-tree.js';
import { probeProgram } from '../support/probe-program.js';
import type { Figure } from './measure.js';

/** Where the host of {@link measureOnHost} has what the machine keeps in its cache. */
const CACHE = '/var/cache/berth-test';

/** Runtimes and engines in the version of forky, beside which berth is measured. */
const PEERS = ['crun', 'runc', 'podman', 'catatonit'];

/** Longest time for one part of the benchmark. */
const GUEST_TIMEOUT_MS = 600_000;

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
  } = {},
): Promise<readonly Figure[]> {
  const base = bootedHostRecipe('forky');
  const recipe = { ...base, name: 'bench', packages: [...base.packages, ...PEERS] };
  const probe = probeProgram();
  await using host = await bootHost({
    suite: 'forky',
    recipe,
    prepare: (tree) => {
      const place = join(tree, CACHE, 'probe');
      mkdirSync(place, { recursive: true });
      copyFileSync(probe, join(place, basename(probe)));
    },
  });
  const { args = [], exposePort } = options;
  if (exposePort !== undefined) await host.network.exposePort(exposePort);
  const text = await host.runOk(['node', `/opt/berth/dist/test/bench/${guest}`, ...args], {
    env: { BERTH_TEST_CACHE: CACHE },
    timeoutMs: GUEST_TIMEOUT_MS,
  });
  return JSON.parse(text) as readonly Figure[];
}
