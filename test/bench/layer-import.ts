import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { applyLayer } from '../../src/layer/apply-layer.js';
import { parseDigest } from '../../src/oci/digest.js';
import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import { TempDir } from '../support/temp-dir.js';
import { storedImageOf } from '../support/stored-image.js';

/*
 * How long it takes to take in a layer and to check it out, beside `tar xzf` and `cp -al` of the same.
 * Usage: node dist/test/bench/layer-import.js LAYER.tar.gz [DIRECTORY]
 */

const [blobPath = '', parent = '/tmp'] = process.argv.slice(2);

async function timed<T>(what: string, body: () => T | Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await body();
  process.stdout.write(`${what.padEnd(36)} ${(performance.now() - start).toFixed(0)} ms\n`);
  return result;
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

using dir = new TempDir(parent);
const digest = parseDigest(sha256(readFileSync(blobPath)));
const diffId = parseDigest(sha256(gunzipSync(readFileSync(blobPath))));
const descriptor = {
  digest,
  size: statSync(blobPath).size,
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
};

await using store = openEmbeddedStore(join(dir.path, 'store'));
await timed('applyLayer + commit', async () => {
  const transaction = await store.beginLayer(diffId);
  const summary = await timed('  applyLayer', () =>
    applyLayer({
      source: createReadStream(blobPath, { highWaterMark: 65_536 }),
      descriptor,
      diffId,
      sink: transaction.sink,
      signal: new AbortController().signal,
    }),
  );
  process.stdout.write(`  ${JSON.stringify(summary)}\n`);
  await timed('  commit', () => transaction.commit());
});
const image = await timed('addImage', () => store.addImage(storedImageOf([diffId], ['bench'])));
const tree = await timed('openTree (cached)', () => store.openTree(image));
for (const round of [1, 2, 3]) {
  mkdirSync(join(dir.path, `out${round}`));
  const result = await timed('checkout', () =>
    store.checkout(tree, join(dir.path, `out${round}`), { devices: true }),
  );
  process.stdout.write(`  ${JSON.stringify(result)}\n`);
}
await using fresh = openEmbeddedStore(join(dir.path, 'store'));
await timed('openTree (cold)', () => fresh.openTree(image));
mkdirSync(join(dir.path, 'tar'));
await timed('tar xzf', () => execFileSync('tar', ['xzf', blobPath, '-C', join(dir.path, 'tar')]));
for (const round of [1, 2]) {
  await timed('cp -al', () =>
    execFileSync('cp', ['-al', join(dir.path, 'tar'), join(dir.path, `copy${round}`)]),
  );
}
await timed('fsck', async () => {
  const report = await store.fsck();
  process.stdout.write(`  ${report.checkedObjects} objects, ${report.problems.length} problems\n`);
});
