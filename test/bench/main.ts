import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { applyLayer } from '../../src/layer/apply-layer.js';
import { parseDigest } from '../../src/oci/digest.js';
import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import { debianImageLayers } from '../support/debian-image.js';
import { ContainerBed, launcher } from '../support/launched-container.js';
import { runtimeConfigDocument } from '../support/runtime-config.js';
import { storedImageOf } from '../support/stored-image.js';
import { TempDir } from '../support/temp-dir.js';
import { benchCopy } from './copy.js';
import { compare, formatFigures, type Figure } from './measure.js';

/*
 * Figures beside their peers, in one run: `npm run bench`, or `npm run bench -- --json`. Layers are taken in and checked out
 * on a tmpfs. The layer is that of the docker image that the tests make of Debian's packages.
 */

const PARENT = '/dev/shm';

/** A container that ends at once, by its plan and by other runtimes on the same config.json. */
async function benchLaunch(): Promise<readonly Figure[]> {
  using bed = new ContainerBed();
  bed.compile(['exit', '0']);
  const document = runtimeConfigDocument({ process: { args: ['/probe', 'exit', '0'] } });
  writeFileSync(bed.path('config.json'), JSON.stringify(document));
  // crun refuses machines with both kinds of cgroups, which those of the tests are.
  const runc = {
    what: 'runc run',
    run: (round: number) => {
      mustRun('runc', ['run', '--bundle', bed.path(''), `bench-${process.pid}-${round}`]);
    },
  };
  return await compare('start a container that ends at once, until it has ended', 100, [
    {
      what: 'berth: launcher on the plan',
      run: () => {
        mustRun(launcher, [bed.plan]);
      },
    },
    runc,
    {
      what: 'the same static program, no container',
      run: () => {
        mustRun(join(bed.rootfs, 'probe'), ['exit', '0']);
      },
    },
  ]);
}

async function benchLayer(): Promise<readonly Figure[]> {
  const blob = (await debianImageLayers('docker')).at(-1) ?? '';
  const bytes = readFileSync(blob);
  const descriptor = {
    digest: parseDigest(sha256(bytes)),
    size: statSync(blob).size,
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  };
  const diffId = parseDigest(sha256(gunzipSync(bytes)));
  using dir = new TempDir(PARENT);
  const place = (name: string, round: number): string => join(dir.path, `${name}${round}`);
  const imports = await compare(
    `take in a layer of ${(descriptor.size / 1e6).toFixed(0)} MB (gzip)`,
    5,
    [
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
    ],
  );
  await using store = openEmbeddedStore(place('store', 0));
  const image = await store.findImage('bench');
  if (image === undefined) throw new Error('the image that was just stored is not there');
  const tree = await store.openTree(image);
  const checkouts = await compare('check it out', 7, [
    {
      what: 'berth: checkout',
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
        mustRun('cp', ['-al', place('tar', 0), place('copy', round)]);
      },
    },
  ]);
  return [...imports, ...checkouts];
}

function benchCommands(): Promise<readonly Figure[]> {
  const program = new URL('../../src/main.js', import.meta.url).pathname;
  return compare('a command', 15, [
    {
      what: 'berth --help',
      run: () => {
        mustRun(process.execPath, [program, '--help']);
      },
    },
    {
      what: 'node -e 0',
      run: () => {
        mustRun(process.execPath, ['-e', '0']);
      },
    },
  ]);
}

function mustRun(program: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status !== 0) throw error ?? new Error(`${program} failed: ${stderr.toString()}`);
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

execFileSync('sync');
const figures = [
  ...(await benchLaunch()),
  ...(await benchLayer()),
  ...(await benchCopy(PARENT)),
  ...(await benchCommands()),
];
process.stdout.write(
  process.argv.includes('--json')
    ? `${JSON.stringify(figures, null, 2)}\n`
    : formatFigures(figures),
);
