import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { ownProgram } from '../../src/base/own-files.js';
import { pushImage } from '../support/push-image.js';
import { startRegistry } from '../support/registry.js';
import { TempDir } from '../support/temp-dir.js';
import { compare, type Bench, type Figure } from './measure.js';
import { runMeasured } from '../support/run-measured.js';

const LAYER_BYTES = 100_000_000;
const LAYERS = 4;

/** One layer whose size must say nothing about the memory that copying it takes. */
const LARGE_LAYER_BYTES = 4_000_000_000;

/** The whole command each time, from its start to its end. Neither of them unpacks anything; only berth syncs. */
export const copyBench: Bench = {
  name: 'copy',
  peers: ['skopeo'],
  run: (parent) =>
    benchCopy(parent, { group: 'copy an image of 400 MB from a registry to a layout', rounds: 5 }),
};

/** The same with one layer of 4 GB. */
export const copyLargeBench: Bench = {
  name: 'copy-large',
  isLong: true,
  peers: ['skopeo'],
  run: (parent) =>
    benchCopy(parent, {
      group: 'copy a layer of 4 GB from a registry to a layout',
      rounds: 1,
      largeLayerBytes: LARGE_LAYER_BYTES,
    }),
};

async function benchCopy(
  parent: string,
  options: {
    readonly group: string;
    readonly rounds: number;
    readonly largeLayerBytes?: number;
  },
): Promise<readonly Figure[]> {
  await using registry = await startRegistry();
  using dir = new TempDir(parent);
  await pushImage(registry.target('bench'), 'latest', {
    layers: makeLayers(dir.path, options.largeLayerBytes),
  });
  const policy = join(dir.path, 'policy.json');
  writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  const from = `docker://${registry.reference('bench')}`;
  const place = (name: string, round: number): string => join(dir.path, `${name}${round}`);
  const cleaner = (name: string) => (round: number) => {
    rmSync(place(name, round), { recursive: true });
  };
  const program = ownProgram();
  return await compare(options.group, options.rounds, [
    {
      what: 'berth copy: verified, synced',
      run: async (round, record) => {
        const to = `oci:${place('berth', round)}:bench`;
        record(await runMeasured(process.execPath, [program, 'copy', '--json', from, to]));
      },
      cleanUp: cleaner('berth'),
    },
    {
      what: 'skopeo copy',
      run: async (round, record) => {
        const options = ['--policy', policy, 'copy', '--quiet', '--src-tls-verify=false'];
        const to = `oci:${place('skopeo', round)}:bench`;
        record(await runMeasured('skopeo', [...options, from, to]));
      },
      cleanUp: cleaner('skopeo'),
    },
  ]);
}

/** Noise, which no compression makes smaller, in the form of gzip. */
function makeLayers(folder: string, largeBytes: number | undefined) {
  if (largeBytes === undefined) {
    return Array.from({ length: LAYERS }, () => ({
      content: gzipSync(randomBytes(LAYER_BYTES), { level: 0 }),
    }));
  }
  // gzip members one after the other are gzip, too (RFC 1952, section 2.2).
  const path = join(folder, 'large.gz');
  const part = gzipSync(randomBytes(LAYER_BYTES), { level: 0 });
  for (let bytes = 0; bytes < largeBytes; bytes += part.length) {
    writeFileSync(path, part, { flag: 'a' });
  }
  return [{ content: { path }, diffId: `sha256:${'0'.repeat(64)}` }]; // which nobody looks at: nothing is unpacked
}
