import { workerData } from 'node:worker_threads';

import { exchangePaths } from '../../src/sys/rename.js';

// Started by swap-racer.ts: exchanges two names, as quick as the kernel does it, until it is told to stop.

const { first, second, shared } = workerData as {
  readonly first: string;
  readonly second: string;
  readonly shared: SharedArrayBuffer;
};
const [SWAPS, STOP] = [0, 1];
const state = new Int32Array(shared);
while (Atomics.load(state, STOP) === 0) {
  exchangePaths(first, second);
  Atomics.add(state, SWAPS, 1);
}
