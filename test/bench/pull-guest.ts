import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import { pushImage } from '../support/push-image.js';
import { startRegistry, type RealRegistry } from '../support/registry.js';
import { makeGuestPlace, PLACE } from './guest-place.js';
import type { LayersShape } from './make-layers.js';
import { compare, type Contender, type Figure } from './measure.js';
import { mustRun } from './must-run.js';
import {
  diskBytes,
  installWithBerth,
  PullContenders,
  receivedBytes,
  updateWithBerth,
} from './pull-contenders.js';

/*
 * On the host: images are pulled by berth and by others from a registry on the same host, so that nothing stands between them. All
 * is on a tmpfs, since disks differ and what is measured is the program.
 */

/** What is measured, by the argument of this program. */
export type PullScenario = 'one' | 'tls' | 'layers' | 'small' | 'large' | 'again' | 'checkout';

const WHOLE: LayersShape = { layers: 1, files: 12_000, bytes: 400_000_000 };
const REPOSITORY = 'bench';

const maker = makeGuestPlace();
const scenarios: Readonly<Record<PullScenario, () => Promise<readonly Figure[]>>> = {
  one: () => pullWhole('400 MB in 12,000 files, one layer', { shape: WHOLE, rounds: 5 }),
  tls: pullOverTls,
  layers: () =>
    pullWhole('400 MB in 12,000 files, ten layers', { shape: { ...WHOLE, layers: 10 }, rounds: 5 }),
  small: () =>
    pullWhole('200 MB in 100,000 files', {
      shape: { layers: 1, files: 100_000, bytes: 200_000_000 },
      rounds: 3,
    }),
  large: () =>
    pullWhole('4 GB in 1,000 files, one layer', {
      shape: { layers: 1, files: 1000, bytes: 4_000_000_000 },
      rounds: 1,
    }),
  again: pullAgain,
  checkout: checkOut,
};
const scenario = process.argv[2] as PullScenario;
process.stdout.write(JSON.stringify(await scenarios[scenario]()));

async function pullWhole(
  what: string,
  { shape, rounds }: { readonly shape: LayersShape; readonly rounds: number },
): Promise<readonly Figure[]> {
  await using registry = await startRegistry();
  await push(registry, await maker.layers(shape));
  const by = new PullContenders(PLACE, registry.reference(REPOSITORY));
  const contenders = [by.berth(), by.umoci(), by.podman()];
  return await compare(`pull and check out an image of ${what}`, rounds, contenders);
}

async function pullOverTls(): Promise<readonly Figure[]> {
  await using registry = await startRegistry({ tls: true });
  appendFileSync('/etc/ssl/certs/ca-certificates.crt', registry.ca ?? '');
  process.env['NODE_EXTRA_CA_CERTS'] = registry.caFile;
  await push(registry, await maker.layers(WHOLE));
  // The name of the authority's certificate; importctl takes no address.
  const by = new PullContenders(PLACE, `localhost:${registry.port}/${REPOSITORY}:latest`);
  const contenders = [by.berth(), by.importctl()];
  return await compare('the same from a registry that speaks https', 5, contenders);
}

/**
 * Beside the first image of a base: another one on that base, and an update in which one file of a hundred is another one. The
 * ratios are those of their times to the first one's.
 */
async function pullAgain(): Promise<readonly Figure[]> {
  await using registry = await startRegistry();
  const base = await maker.layers(WHOLE);
  const update = await maker.change(WHOLE);
  const other = await maker.layers({ layers: 1, files: 40, bytes: 1_000_000 });
  await push(registry, base, 'first');
  await push(registry, [...base, ...other], 'second');
  const reference = (tag: string): string => registry.reference(REPOSITORY, tag);
  const root = (round: number): string => join(PLACE, `again${round}`);
  const looked =
    (command: (root: string) => ReturnType<typeof installWithBerth>): Contender['run'] =>
    async (round, record) => {
      const [received, bytes] = [receivedBytes(), diskBytes(root(round))];
      const start = performance.now();
      const usage = await command(root(round));
      // Looking through a tree of 12,000 files takes 40 ms, twice, and is no part of it.
      record({ ...usage, ms: performance.now() - start });
      record({
        fetchedBytes: receivedBytes() - received,
        grewBytes: diskBytes(root(round)) - bytes,
      });
    };
  const fresh = {
    prepare: (round: number) => {
      mkdirSync(root(round));
    },
    cleanUp: (round: number) => {
      rmSync(root(round), { recursive: true });
    },
  };
  const first: Contender = {
    what: 'the first image: 400 MB in 12,000 files',
    ...fresh,
    run: looked((at) => installWithBerth(at, 'first', reference('first'))),
  };
  const second: Contender = {
    what: 'another image on the same base',
    ...fresh,
    prepare: async (round) => {
      mkdirSync(root(round));
      await installWithBerth(root(round), 'first', reference('first'));
    },
    run: looked((at) => installWithBerth(at, 'second', reference('second'))),
  };
  const updated: Contender = {
    what: `update that changes ${update.files} files, ${(update.bytes / 1e6).toFixed(2)} MB`,
    ...fresh,
    prepare: async (round) => {
      mkdirSync(root(round));
      await push(registry, base, 'moving');
      await installWithBerth(root(round), 'first', reference('moving'));
      await push(registry, [...base, update.path], 'moving');
    },
    run: looked((at) => updateWithBerth(at, 'first')),
  };
  return [
    ...(await compare('another image on a base that is there', 5, [second, first])),
    ...(await compare('an update of one file in a hundred', 5, [updated, first])),
  ];
}

async function checkOut(): Promise<readonly Figure[]> {
  await using registry = await startRegistry();
  await push(registry, await maker.layers(WHOLE));
  const root = join(PLACE, 'stored');
  mkdirSync(root);
  await installWithBerth(root, REPOSITORY, registry.reference(REPOSITORY));
  await using store = openEmbeddedStore(join(root, 'var/lib/berth/.store'));
  const image = await store.findImage(registry.reference(REPOSITORY));
  if (image === undefined) throw new Error('the image that was just installed is not there');
  const tree = await store.openTree(image);
  const place = (name: string, round: number): string => join(PLACE, `${name}${round}`);
  return await compare('check out a stored image of 12,000 files', 15, [
    {
      what: 'berth',
      prepare: (round) => {
        mkdirSync(place('checkout', round));
      },
      run: async (round) => {
        await store.checkout(tree, place('checkout', round), { devices: true });
      },
    },
    {
      what: 'cp -al of the same tree',
      run: (round) => {
        mustRun('cp', ['-al', place('checkout', round), place('copy', round)]);
      },
    },
  ]);
}

async function push(
  registry: RealRegistry,
  layers: readonly string[],
  tag = 'latest',
): Promise<void> {
  await pushImage(registry.target(REPOSITORY), tag, {
    layers: layers.map((path) => ({ content: { path } })),
    process: { Entrypoint: ['/usr/bin/true'] },
  });
}
