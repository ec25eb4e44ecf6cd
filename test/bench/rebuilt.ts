import { execFileSync } from 'node:child_process';
import { mkdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

import { ownProgram } from '../../src/base/own-files.js';
import { debianImageLayers } from '../support/debian-image.js';
import { pushImage } from '../support/push-image.js';
import { startRegistry } from '../support/registry.js';
import { runMeasured } from '../support/run-measured.js';
import { TempDir } from '../support/temp-dir.js';
import { LayerMaker, type LayersShape } from './make-layers.js';
import { compare, type Bench, type Contender, type Figure } from './measure.js';
import { mustRun } from './must-run.js';

const SHAPE: LayersShape = { layers: 1, files: 12_000, bytes: 400_000_000 };
const ROUNDS = 3;

/**
 * A base that is built again, so that its files have new times and nothing else: what the disk has less room by, on a file system
 * that can share blocks, beside what the first one took but for its content, and a copy of the tree that shares them all.
 */
export const rebuiltBench: Bench = { name: 'rebuilt', isLong: true, peers: [], run: benchRebuilt };

async function benchRebuilt(parent: string): Promise<readonly Figure[]> {
  await using registry = await startRegistry();
  using dir = new TempDir(parent);
  const [, corpus = ''] = await debianImageLayers('docker');
  const maker = new LayerMaker(dir.path, corpus);
  for (const [tag, later] of [
    ['before', 0],
    ['after', 1000],
  ] as const) {
    const layers = await maker.layers({ ...SHAPE, later });
    await pushImage(registry.target('bench'), tag, {
      layers: layers.map((path) => ({ content: { path } })),
      process: { Entrypoint: ['/usr/bin/true'] },
    });
  }
  const disk = join(dir.path, 'disk');
  mkdirSync(disk);
  const install = (name: string) =>
    runMeasured(process.execPath, [
      ...[ownProgram(), '--root', join(disk, 'tree'), 'install', '--system', '--name', name],
      registry.reference('bench', name),
    ]);
  const makeDisk = () => {
    const image = `${disk}.xfs`;
    mustRun('truncate', ['--size=3G', image]);
    mustRun('mkfs.xfs', ['-q', '-K', '-f', image]);
    mustRun('mount', ['-o', 'loop', image, disk]);
    mkdirSync(join(disk, 'tree'));
  };
  const prepare = async () => {
    makeDisk();
    await install('before');
  };
  const cleanUp = (): void => {
    mustRun('umount', [disk]);
  };
  const grown =
    (body: () => Promise<object>): Contender['run'] =>
    async (_, record) => {
      const before = usedOf(disk);
      const taken = await body();
      record({ ...taken, grewBytes: usedOf(disk) - before });
    };
  const rootfs = join(disk, 'tree/var/lib/berth/before/rootfs');
  return await compare('a base of 400 MB in 12,000 files, built again, on XFS', ROUNDS, [
    { what: 'berth install', prepare, run: grown(() => install('after')), cleanUp },
    {
      what: 'the first one, its content not counted',
      prepare: makeDisk,
      run: async (_, record) => {
        const before = usedOf(disk);
        const taken = await install('before');
        const grewBytes = usedOf(disk) - before - contentOf(join(disk, 'tree'));
        record({ ...taken, grewBytes });
      },
      cleanUp,
    },
    {
      what: 'cp -a --reflink=always of its tree',
      prepare,
      run: grown(() => {
        mustRun('cp', ['-a', '--reflink=always', rootfs, join(disk, 'copy')]);
        return Promise.resolve({});
      }),
      cleanUp,
    },
  ]);
}

/** What the blocks of all files have, in bytes; a file with several names counts once. */
function contentOf(folder: string): number {
  const script = 'find "$1" -type f -printf "%i %b\\n" | sort -u | cut -d" " -f2';
  const text = execFileSync('sh', ['-c', script, 'sh', folder], { encoding: 'utf8' });
  return text.split('\n').reduce((sum, blocks) => sum + 512 * Number(blocks), 0);
}

/** In bytes, once all is written. */
function usedOf(disk: string): number {
  mustRun('sync', ['--file-system', disk]);
  const { blocks, bfree, bsize } = statfsSync(disk);
  return (blocks - bfree) * bsize;
}
