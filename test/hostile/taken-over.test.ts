import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { executePull } from '../../src/images/execute-pull.js';
import { preparePull } from '../../src/images/prepare-pull.js';
import { RepositorySource } from '../../src/images/repository-source.js';
import { parseDigest, type Digest } from '../../src/oci/digest.js';
import { parseReference } from '../../src/oci/reference.js';
import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import type { ImageStore, StoredImage } from '../../src/store/image-store.js';
import { openOstreeStore } from '../../src/store/ostree/ostree-store.js';
import { RepositoryImages } from '../../src/store/ostree/repository-images.js';
import { openBlobStream } from '../../src/transport/blob-stream.js';
import type { ImageSource } from '../../src/transport/image-source.js';
import { acceptAnything } from '../support/accept-anything.js';
import { assertFails } from '../support/assert-fails.js';
import {
  writeAtomicRepository,
  type AtomicImage,
  type AtomicImageWritten,
} from '../support/atomic-repository.js';
import { amd64 } from '../support/pull-from.js';
import { runOk } from '../support/run-command.js';
import type { TarItem } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';

// A repository says of a tree which layer it is, and has no archive that could be hashed. What was taken over from it must
// not stand for that layer where somebody else's image needs it.

const REAL: TarItem = { path: 'tool', content: 'real' };
const EVIL: TarItem = { path: 'tool', content: 'evil' };
const ETCD = { name: 'docker.io/library/etcd:3', ref: 'docker.io_2Flibrary_2Fetcd_3A3' };
const { signal } = new AbortController();

const kinds = [
  { kind: 'embedded', open: openEmbeddedStore },
  { kind: 'ostree', open: openOstreeStore },
];

for (const { kind, open } of kinds) {
  const title = (what: string): string => `${kind} store: ${what}`;

  test(title('a planted layer does not stand for the one of a registry'), async () => {
    await withPlace(open, async ({ store, path, hasLayer }) => {
      const written = await plant(`${path}/strange`, { layers: [[REAL]], planted: [[EVIL]] });
      const diffId = parseDigest(written.layers[0]?.diffId ?? '');
      const taken = await takeOver(store, `${path}/strange`);
      const before = await checkOut(store, taken, `${path}/before`);
      assert.equal(before, 'evil', 'who takes it over gets what the repository has');
      assert.equal(await store.hasLayer(diffId), false, 'a layer that nobody hashed is believed');
      assert.equal(await store.hasLayer(diffId, { takenOver: true }), true);
      assert.equal(await hasLayer(diffId), false, 'the mark does not survive');
      assert.deepEqual((await store.fsck()).problems, []);

      const image = await pull(store, genuine(written));
      assert.equal(await checkOut(store, image, `${path}/after`), 'real', 'a layer was poisoned');
      assert.equal(await hasLayer(diffId), true);
      // Again, the other way round: what was hashed stays.
      const again = await takeOver(store, `${path}/strange`);
      assert.equal(await checkOut(store, again, `${path}/again`), 'real', 'a layer was replaced');
      assert.deepEqual((await store.fsck()).problems, []);
      await store[Symbol.asyncDispose]();
      await store.prune({ keep: new Set() });
      assert.equal(readFileSync(`${path}/before/tool`, 'utf8'), 'evil', 'a checkout was changed');
    });
  });

  test(title('control: one that believes the repository gives the wrong files'), async () => {
    await withPlace(open, async ({ store, path }) => {
      const written = await plant(`${path}/strange`, { layers: [[REAL]], planted: [[EVIL]] });
      await takeOver(store, `${path}/strange`);
      const image = await pull(naive(store), genuine(written));
      assert.equal(await checkOut(store, image, `${path}/out`), 'evil');
    });
  });

  test(
    title('what is taken over does not change an image that was taken over before'),
    async () => {
      await withPlace(open, async ({ store, path }) => {
        await plant(`${path}/own`, { layers: [[REAL]] });
        await plant(`${path}/strange`, { layers: [[REAL]], planted: [[EVIL]] });
        const image = await takeOver(store, `${path}/own`);
        await assertFails('LAYER_DISPUTED', () => takeOver(store, `${path}/strange`));
        await takeOver(store, `${path}/own`);
        assert.equal(await checkOut(store, image, `${path}/out`), 'real');
        await store.removeName(ETCD.name);
        await store[Symbol.asyncDispose]();
        const { layers } = await store.prune({ keep: new Set() });
        assert.equal(layers, 1);
      });
    },
  );

  test(title('a layer that calls itself after another blob takes no place of it'), async () => {
    await withPlace(open, async ({ store, path }) => {
      const other = await plant(`${path}/own`, { layers: [[REAL]] });
      const configDigest = parseDigest(digestInManifest(other.manifest));
      const claimed = [
        configDigest,
        parseDigest(other.digest),
        parseDigest(other.layers[0]?.digest ?? ''),
      ];
      const evil = { ...ETCD, name: 'x', ref: 'docker.io_2Flibrary_2Fx_3Alatest' };
      for (const when of ['before', 'after']) {
        await writeAtomicRepository(`${path}/${when}`, [
          {
            ...evil,
            layers: claimed.map((digest) => [{ ...EVIL, content: digest }]),
            claimedDiffIds: claimed,
          },
        ]);
      }
      await takeOver(store, `${path}/before`, 'x');
      const image = await pull(store, genuine(other));
      await takeOver(store, `${path}/after`, 'x');
      assert.equal(await checkOut(store, image, `${path}/out`), 'real');
      assert.equal((await store.findImage(ETCD.name))?.digest, other.digest);
      assert.deepEqual((await store.fsck()).problems, []);
    });
  });
}

interface Place {
  readonly store: ImageStore;
  readonly path: string;
  /** Asks the store as another process would open it. */
  readonly hasLayer: (diffId: Digest) => Promise<boolean>;
}

async function withPlace(
  open: (path: string) => ImageStore,
  body: (place: Place) => Promise<void>,
): Promise<void> {
  using dir = new TempDir();
  const path = `${dir.path}/store`;
  {
    await using store = open(path);
    const hasLayer = async (diffId: Digest): Promise<boolean> => {
      await using other = open(path);
      return await other.hasLayer(diffId);
    };
    await body({ store, path: dir.path, hasLayer });
  }
  if (existsSync(`${path}/refs`)) await runOk(['ostree', 'fsck', `--repo=${path}`, '--quiet']);
}

async function plant(
  path: string,
  image: Pick<AtomicImage, 'layers' | 'planted'>,
): Promise<AtomicImageWritten> {
  const [written] = await writeAtomicRepository(path, [{ ...ETCD, ...image }]);
  assert.ok(written !== undefined);
  return written;
}

function takeOver(store: ImageStore, repository: string, name = 'etcd:3'): Promise<StoredImage> {
  return pull(store, new RepositorySource(new RepositoryImages(repository), parseReference(name)));
}

async function pull(store: ImageStore, source: ImageSource): Promise<StoredImage> {
  await using from = source;
  const plan = await preparePull(from, {
    store,
    platform: amd64,
    trust: acceptAnything,
    signal,
  });
  return await executePull(plan, { store, source: from, signal });
}

/** What believes that a layer is what it is called, wherever it came from. */
function naive(store: ImageStore): ImageStore {
  return new Proxy(store, {
    get: (target, key) => {
      if (key === 'hasLayer')
        return (diffId: Digest) => target.hasLayer(diffId, { takenOver: true });
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** The image as its registry has it. */
function genuine({ manifest, config, layers, digest }: AtomicImageWritten): ImageSource {
  const blobs = new Map<string, Uint8Array>(layers.map((layer) => [layer.digest, layer.blob]));
  blobs.set(digestInManifest(manifest), Buffer.from(config));
  return {
    name: 'docker://docker.io/library/etcd:3',
    storeName: ETCD.name,
    identity: { transport: 'docker' },
    readManifest: () =>
      Promise.resolve({
        bytes: Buffer.from(manifest),
        mediaType: undefined,
        digest: parseDigest(digest),
      }),
    openBlob: (descriptor) => {
      const blob = blobs.get(descriptor.digest);
      assert.ok(blob !== undefined, descriptor.digest);
      return Promise.resolve(
        // eslint-disable-next-line @typescript-eslint/require-await -- all of it is there
        openBlobStream(signal, async function* () {
          yield blob;
        }),
      );
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function digestInManifest(manifest: string): string {
  return (JSON.parse(manifest) as { readonly config: { readonly digest: string } }).config.digest;
}

async function checkOut(store: ImageStore, image: StoredImage, path: string): Promise<string> {
  mkdirSync(path);
  await store.checkout(await store.openTree(image), path);
  return readFileSync(`${path}/tool`, 'utf8');
}
