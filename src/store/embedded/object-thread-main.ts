import { createHash, type Hash } from 'node:crypto';
import { parentPort, type MessagePort } from 'node:worker_threads';

import type { ObjectWriter } from '../object-writer.js';
import { createObjectWriter } from './create-object-writer.js';
import { makeLinks } from './link-batch.js';
import { runBatch } from './object-batch.js';
import { describeThrown, type ThreadAnswer, type ThreadRequest } from './object-thread.js';

/*
 * The other thread of object-thread.ts: makes objects and links to them, one request after the other, and answers each.
 */

/** A layer that failed fails again, whatever is asked: steps that follow a failure have nothing to go on. */
interface Layer {
  readonly writer: ObjectWriter;
  /** Of the archive. */
  hash?: Hash;
  failure?: unknown;
}

type LayerRequest = Exclude<ThreadRequest, { readonly what: 'link' }>;

/** Answers requests that come through a port. */
export function serveObjects(port: MessagePort): void {
  const layers = new Map<number, Layer>();
  port.on('message', (request: ThreadRequest) => {
    port.postMessage(answer(layers, request));
  });
}

function answer(layers: Map<number, Layer>, request: ThreadRequest): ThreadAnswer {
  try {
    if (request.what === 'link') return { digests: [], links: makeLinks(request.batch) };
    return { digests: carryOut(layers, request), links: 0 };
  } catch (error) {
    const layer = request.what === 'link' ? undefined : layers.get(request.layer);
    if (layer !== undefined) layer.failure ??= error;
    return { digests: [], links: 0, failure: describeThrown(error) };
  }
}

function carryOut(layers: Map<number, Layer>, request: LayerRequest): readonly string[] {
  if (request.what === 'open') {
    layers.set(request.layer, { writer: createObjectWriter(request.place) });
    return [];
  }
  const layer = layers.get(request.layer);
  if (layer === undefined) throw new Error('internal error: a layer that was not begun');
  if (request.what === 'close') {
    layers.delete(request.layer);
    layer.writer.close();
    return [];
  }
  if (layer.failure !== undefined) throw layer.failure as Error;
  switch (request.what) {
    case 'hash':
      layer.hash = createHash(request.algorithm);
      return [];
    case 'batch':
      return runBatch(request.batch, { files: layer.writer, hash: layer.hash });
    case 'hashed':
      return layer.hash === undefined ? [] : [layer.hash.digest('hex')];
    case 'publish':
      layer.writer.publish();
      return [];
  }
}

if (parentPort !== null) serveObjects(parentPort);
