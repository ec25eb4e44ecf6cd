import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/**
 * Runs `body` while others are at the same things: `others`, lines of JavaScript that have `fs` and `data`, in another thread
 * again and again.
 */
export async function doMeanwhile<T>(
  others: string,
  data: unknown,
  body: () => Promise<T>,
): Promise<T> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `
    const fs = require('node:fs');
    const { parentPort, workerData: { data, stop } } = require('node:worker_threads');
    parentPort.postMessage('ready');
    while (Atomics.load(stop, 0) === 0) {
      ${others}
    }`,
    { eval: true, workerData: { data, stop } },
  );
  const ended = once(worker, 'exit');
  await once(worker, 'message');
  try {
    return await body();
  } finally {
    Atomics.store(stop, 0, 1);
    await ended;
  }
}
