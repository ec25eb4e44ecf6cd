import { gzipSync } from 'node:zlib';

import { FakeRegistry, type Interference } from './fake-registry.js';
import { forPath, only } from './misbehaviours.js';
import { pushImage, sha256 } from './push-image.js';
import { buildTar } from './tar-builder.js';

/** The one file of the layer. */
export const content = Buffer.alloc(400_000, 'what was promised ');
/** A layer that is stored as it is: what goes wrong with its bytes is at the same place in the file. */
export const layer = gzipSync(buildTar([{ path: 'file', content }]), { level: 0 });
/** The end of the layer's address. */
export const blobPath = `/blobs/${sha256(layer)}`;
/** Other bytes of the same length. */
export const otherLayer = Buffer.from(layer);
otherLayer[200_000] = 0;

/** A registry that has an image of the layer, `etcd:1`; requests to `path` meet with the interference. */
export async function serveLayer(
  interference?: Interference,
  path = blobPath,
): Promise<FakeRegistry & AsyncDisposable> {
  const registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: [{ content: layer }],
  });
  if (interference !== undefined) registry.interfere(only(forPath(path), interference));
  return registry;
}

/** What a naive client takes: whatever comes, as long as the status says so. */
export async function naiveFetch(url: string): Promise<Buffer> {
  // eslint-disable-next-line n/no-unsupported-features/node-builtins -- the naive client is meant to be somebody else's
  const response = await fetch(url);
  return Buffer.from(await response.arrayBuffer());
}
