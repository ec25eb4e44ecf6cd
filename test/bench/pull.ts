import { debianImageLayers } from '../support/debian-image.js';
import type { Bench } from './measure.js';
import { CORPUS } from './guest-place.js';
import { measureOnHost } from './on-host.js';
import type { PullScenario } from './pull-guest.js';

/** An image in one layer, from a registry onto the host. */
export const pullBench = pullBenchOf('pull', 'one');

/** The same beside systemd's own, which speaks https only. */
export const pullTlsBench = pullBenchOf('pull-tls', 'tls');

/** The same content in ten layers, which overwrite and hide files of each other. */
export const pullLayersBench: Bench = { ...pullBenchOf('pull-layers', 'layers'), isLong: true };

/** Many small files. */
export const pullSmallBench: Bench = { ...pullBenchOf('pull-small', 'small'), isLong: true };

/** A layer of 4 GB. */
export const pullLargeBench: Bench = { ...pullBenchOf('pull-large', 'large'), isLong: true };

/** What is there already is not fetched, written or read again: another image on the same base, and an update. */
export const pullAgainBench = pullBenchOf('pull-again', 'again');

/** Files of a stored image, put where a container has its root. */
export const checkoutBench = pullBenchOf('checkout', 'checkout');

function pullBenchOf(name: string, scenario: PullScenario): Bench {
  return { name, peers: [], run: () => measurePull(scenario) };
}

async function measurePull(scenario: PullScenario) {
  const [, corpus = ''] = await debianImageLayers('docker');
  return await measureOnHost('pull-guest.js', {
    args: [scenario],
    files: { [CORPUS]: corpus },
  });
}
