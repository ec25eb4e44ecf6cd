import type { LayerSink } from '../../src/layer/layer-sink.js';
import type { ApplyLayer } from '../../src/images/execute-pull.js';
import { createHash } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

import { OperationalError } from '../../src/errors/operational-error.js';
import type { Digest } from '../../src/oci/digest.js';
import { verifyContent } from '../../src/oci/verify-content.js';
import type {
  ImageStore,
  LayerTransaction,
  NewImage,
  StoredImage,
} from '../../src/store/image-store.js';

/** What a pull needs of a store, kept in memory: which layers were committed, and which images recorded. */
export class RecordingStore implements Pick<
  ImageStore,
  'hasLayer' | 'beginLayer' | 'addImage' | 'findImage'
> {
  readonly layers = new Set<string>();
  readonly images: StoredImage[] = [];
  /** Transactions that were begun and neither committed nor disposed of. */
  open = 0;

  hasLayer(diffId: Digest): Promise<boolean> {
    return Promise.resolve(this.layers.has(diffId));
  }

  beginLayer(diffId: Digest): Promise<LayerTransaction> {
    this.open++;
    let closed = false;
    const close = () => {
      if (!closed) this.open--;
      closed = true;
    };
    return Promise.resolve({
      sink: {} as LayerSink,
      commit: () => {
        this.layers.add(diffId);
        close();
        return Promise.resolve();
      },
      [Symbol.asyncDispose]: () => {
        close();
        return Promise.resolve();
      },
    });
  }

  addImage(image: NewImage): Promise<StoredImage> {
    const stored = { ...image, storedAtMs: 0, contentBytes: 0 };
    this.images.push(stored);
    return Promise.resolve(stored);
  }

  findImage(nameOrDigest: string): Promise<StoredImage | undefined> {
    return Promise.resolve(
      this.images.find(({ digest, names }) => [digest, ...names].includes(nameOrDigest)),
    );
  }
}

/** Decompresses and checks digest, size and diff id as the real one does, and takes nothing apart. */
export const hashLayer: ApplyLayer = async ({ source, descriptor, diffId, onProgress }) => {
  const hash = createHash('sha256');
  let bytes = 0;
  const blob = Readable.from(counted());
  const tar = descriptor.mediaType.endsWith('gzip') ? createGunzip() : new PassThrough();
  const done = pipeline(blob, tar);
  done.catch(() => undefined); // what fails there fails the loop below, too
  for await (const chunk of tar as AsyncIterable<Uint8Array>) hash.update(chunk);
  await done;
  if (`sha256:${hash.digest('hex')}` !== diffId) {
    throw new OperationalError('CONTENT_MISMATCH', 'not the diff id');
  }

  async function* counted() {
    for await (const chunk of verifyContent(source, descriptor)) {
      bytes += chunk.length;
      onProgress(bytes);
      yield chunk;
    }
  }
};
