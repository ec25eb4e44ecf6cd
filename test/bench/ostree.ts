import { createReadStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { applyLayer } from '../../src/layer/apply-layer.js';
import { digestOf } from '../../src/oci/digest.js';
import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import type { ImageStore } from '../../src/store/image-store.js';
import { openOstreeStore } from '../../src/store/ostree/ostree-store.js';
import { debianImageLayers } from '../support/debian-image.js';
import { storedImageOf } from '../support/stored-image.js';
import { TempDir } from '../support/temp-dir.js';
import { compare, type Bench, type Contender, type Figure } from './measure.js';
import { mustRun } from './must-run.js';

/** The same layer as in `layer`, into an OSTree repository and out of it, beside the embedded store and the ostree command. */
export const ostreeBench: Bench = { name: 'ostree', peers: ['ostree'], run: benchOstree };

async function benchOstree(parent: string): Promise<readonly Figure[]> {
  const blob = (await debianImageLayers('docker')).at(-1) ?? '';
  const bytes = readFileSync(blob);
  const tar = gunzipSync(bytes);
  const descriptor = {
    digest: digestOf(bytes),
    size: bytes.length,
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  };
  const diffId = digestOf(tar);
  using dir = new TempDir(parent);
  const place = (name: string, round = 0): string => join(dir.path, `${name}${round}`);
  writeFileSync(place('tar'), tar);
  const throughStore = (what: string, open: (directory: string) => ImageStore): Contender => ({
    what: `berth: ${what} store, from gzip, verified`,
    run: async (round) => {
      await using store = open(place(what, round));
      await using transaction = await store.beginLayer(diffId);
      const source = createReadStream(blob, { highWaterMark: 65_536 });
      const signal = new AbortController().signal;
      await applyLayer({ source, descriptor, diffId, sink: transaction.sink, signal });
      await transaction.commit();
      const image = await store.addImage(storedImageOf([diffId], ['bench']));
      mkdirSync(place(`${what}-out`, round));
      const options = { devices: true };
      await store.checkout(await store.openTree(image), place(`${what}-out`, round), options);
    },
  });
  const imports = await compare(`take in and check out ${tar.length / 1e6} MB`, 3, [
    throughStore('embedded', openEmbeddedStore),
    throughStore('ostree', openOstreeStore),
    {
      what: 'ostree commit --tree=tar= and checkout -H, from tar',
      run: (round) => {
        const repository = `--repo=${place('command', round)}`;
        mkdirSync(place('command', round));
        mustRun('ostree', ['init', repository, '--mode=bare']);
        const commit = ['commit', repository, '--branch=bench', `--tree=tar=${place('tar')}`];
        mustRun('ostree', [...commit, '--tar-autocreate-parents', '--subject=']);
        mustRun('ostree', ['checkout', repository, '-H', 'bench', place('command-out', round)]);
      },
    },
  ]);
  await using store = openOstreeStore(place('ostree'));
  const image = await store.findImage('bench');
  if (image === undefined) throw new Error('the image that was just stored is not there');
  const checkouts = await compare('check it out of OSTree again', 5, [
    {
      what: 'berth: open and check out',
      run: async (round) => {
        await using fresh = openOstreeStore(place('ostree'));
        mkdirSync(place('again', round));
        const options = { devices: true };
        await fresh.checkout(await fresh.openTree(image), place('again', round), options);
      },
    },
    {
      what: 'ostree checkout -H',
      run: (round) => {
        const repository = `--repo=${place('command')}`;
        mustRun('ostree', ['checkout', repository, '-H', 'bench', place('command-again', round)]);
      },
    },
  ]);
  return [...imports, ...checkouts];
}
