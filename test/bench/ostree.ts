import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { applyLayer } from '../../src/layer/apply-layer.js';
import type { Descriptor } from '../../src/oci/descriptor.js';
import { digestOf, type Digest } from '../../src/oci/digest.js';
import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import type { ImageStore } from '../../src/store/image-store.js';
import { openOstreeStore } from '../../src/store/ostree/ostree-store.js';
import { readPieces } from '../../src/transport/read-pieces.js';
import { debianImageLayers } from '../support/debian-image.js';
import { storedImageOf } from '../support/stored-image.js';
import { TempDir } from '../support/temp-dir.js';
import { LayerMaker } from './make-layers.js';
import { compare, type Bench, type Contender, type Figure } from './measure.js';
import { mustRun } from './must-run.js';

/**
 * An image into an OSTree repository and out of it, beside the embedded store and the ostree command. Each makes durable what it
 * takes in: the stores by syncfs(2) before anything gets its name, the command by fsync(2) of every object and syncfs(2), which is
 * libostree's default. The stores verify the blob besides. They run in this process, the command brings its own.
 */
export const ostreeBench: Bench = { name: 'ostree', peers: ['ostree'], run: benchOstree };

const SHAPE = { layers: 1, files: 12_000, bytes: 400_000_000 };
const WHAT = 'an image of 400 MB in 12,000 files';
const NAME = 'bench';

/** A layer, as it is or compressed. */
interface Archive {
  readonly path: string;
  readonly descriptor: Pick<Descriptor, 'digest' | 'size' | 'mediaType'>;
  readonly diffId: Digest;
}

async function benchOstree(parent: string): Promise<readonly Figure[]> {
  using dir = new TempDir(parent);
  const [plain, compressed] = await makeArchives(dir.path);
  return [
    ...(await takeIn(dir.path, plain, 'tar')),
    ...(await takeIn(dir.path, compressed, 'tar.gz')),
    ...(await checkOut(dir.path, plain)),
  ];
}

async function makeArchives(folder: string): Promise<readonly [Archive, Archive]> {
  const corpus = (await debianImageLayers('docker')).at(1) ?? '';
  const [path = ''] = await new LayerMaker(folder, corpus).layers(SHAPE);
  const bytes = readFileSync(path);
  const tar = gunzipSync(bytes);
  const tarPath = join(folder, 'layer.tar');
  writeFileSync(tarPath, tar);
  const diffId = digestOf(tar);
  const mediaType = 'application/vnd.oci.image.layer.v1.tar';
  const gzip = { digest: digestOf(bytes), size: bytes.length, mediaType: `${mediaType}+gzip` };
  return [
    { path: tarPath, descriptor: { digest: diffId, size: tar.length, mediaType }, diffId },
    { path, descriptor: gzip, diffId },
  ];
}

function takeIn(folder: string, archive: Archive, from: string): Promise<readonly Figure[]> {
  const contender = (
    what: string,
    run: (store: string, checkout: string) => void | Promise<void>,
  ): Contender => {
    const [store, checkout] = [join(folder, 'store'), join(folder, 'checkout')];
    return {
      what,
      run: () => run(store, checkout),
      cleanUp: () => {
        for (const one of [store, checkout]) rmSync(one, { recursive: true });
      },
    };
  };
  const throughStore = (what: string, openStore: (directory: string) => ImageStore): Contender =>
    contender(what, async (directory, checkout) => {
      await using store = openStore(directory);
      await takeInto(store, archive);
      await checkOutOf(store, checkout);
    });
  return compare(`take in and check out ${WHAT}, from ${from}`, 5, [
    throughStore('berth: ostree store', openOstreeStore),
    throughStore('berth: embedded store', openEmbeddedStore),
    contender('ostree commit --tree=tar= and checkout -H', (repository, checkout) => {
      commitArchive(repository, archive);
      mustRun('ostree', checkoutArgs(repository, checkout));
    }),
  ]);
}

async function checkOut(folder: string, archive: Archive): Promise<readonly Figure[]> {
  const [stored, committed] = [join(folder, 'stored'), join(folder, 'committed')];
  {
    await using store = openOstreeStore(stored);
    await takeInto(store, archive);
  }
  commitArchive(committed, archive);
  const checkout = join(folder, 'checkout');
  const cleanUp = (): void => {
    rmSync(checkout, { recursive: true });
  };
  return compare(`check out of OSTree ${WHAT}`, 9, [
    {
      what: 'berth: open the repository, read the image, check out',
      run: async () => {
        await using store = openOstreeStore(stored);
        await checkOutOf(store, checkout);
      },
      cleanUp,
    },
    {
      what: 'ostree checkout -H',
      run: () => {
        mustRun('ostree', checkoutArgs(committed, checkout));
      },
      cleanUp,
    },
  ]);
}

async function takeInto(store: ImageStore, { path, descriptor, diffId }: Archive): Promise<void> {
  const { signal } = new AbortController();
  await using file = await open(path);
  await using transaction = await store.beginLayer(diffId);
  const source = readPieces(file, { offset: 0 }, { signal, lend: true });
  await applyLayer({ source, descriptor, diffId, sink: transaction.sink, signal });
  await transaction.commit();
  await store.addImage(storedImageOf([diffId], [NAME]));
}

async function checkOutOf(store: ImageStore, directory: string): Promise<void> {
  const image = await store.findImage(NAME);
  if (image === undefined) throw new Error('the image that was just stored is not there');
  mkdirSync(directory);
  await store.checkout(await store.openTree(image), directory, { devices: true });
}

function commitArchive(repository: string, { path }: Archive): void {
  const into = `--repo=${repository}`;
  mkdirSync(repository);
  mustRun('ostree', ['init', into, '--mode=bare']);
  const how = ['--tar-autocreate-parents', '--subject=', `--branch=${NAME}`];
  mustRun('ostree', ['commit', into, ...how, `--tree=tar=${path}`]);
}

function checkoutArgs(repository: string, directory: string): readonly string[] {
  return ['checkout', `--repo=${repository}`, '-H', NAME, directory];
}
