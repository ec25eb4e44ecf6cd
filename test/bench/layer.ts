import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { applyLayer } from '../../src/layer/apply-layer.js';
import { parseDigest } from '../../src/oci/digest.js';
import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import { debianImageLayers } from '../support/debian-image.js';
import { storedImageOf } from '../support/stored-image.js';
import { TempDir } from '../support/temp-dir.js';
import { compare, type Bench, type Figure } from './measure.js';
import { mustRun } from './must-run.js';

/** The largest layer of the docker image that the tests make of Debian's packages, taken in on a tmpfs. */
export const layerBench: Bench = { name: 'layer', peers: ['tar'], run: benchLayer };

async function benchLayer(parent: string): Promise<readonly Figure[]> {
  const blob = (await debianImageLayers('docker')).at(-1) ?? '';
  const bytes = readFileSync(blob);
  const descriptor = {
    digest: parseDigest(sha256(bytes)),
    size: statSync(blob).size,
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  };
  const diffId = parseDigest(sha256(gunzipSync(bytes)));
  using dir = new TempDir(parent);
  const place = (name: string, round: number): string => join(dir.path, `${name}${round}`);
  return await compare(`take in a layer of ${(descriptor.size / 1e6).toFixed(0)} MB (gzip)`, 5, [
    {
      what: 'berth: verified, by content, durable',
      run: async (round) => {
        await using store = openEmbeddedStore(place('store', round));
        await using transaction = await store.beginLayer(diffId);
        const source = createReadStream(blob, { highWaterMark: 65_536 });
        const signal = new AbortController().signal;
        await applyLayer({ source, descriptor, diffId, sink: transaction.sink, signal });
        await transaction.commit();
        await store.addImage(storedImageOf([diffId], ['bench']));
      },
    },
    {
      what: 'tar xzf, nothing verified',
      prepare: (round) => {
        mkdirSync(place('tar', round));
      },
      run: (round) => {
        mustRun('tar', ['xzf', blob, '-C', place('tar', round)]);
      },
    },
  ]);
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
