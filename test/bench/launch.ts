import type { Bench } from './measure.js';
import { measureOnHost } from './on-host.js';

/** A container that ends at once, by its plan and by other runtimes on the same config.json. */
export const launchBench: Bench = {
  name: 'launch',
  peers: [],
  run: () => measureOnHost('launch-guest.js'),
};
