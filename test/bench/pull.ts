import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { pushImage } from '../support/push-image.js';
import { startRegistry } from '../support/registry.js';
import { runMeasured } from '../support/run-measured.js';
import { TempDir } from '../support/temp-dir.js';
import { makeLayers, type LayersShape } from './make-layers.js';
import { compare, type Bench, type Figure } from './measure.js';

/** An image in one layer, from a registry onto the host. */
export const pullBench: Bench = {
  name: 'pull',
  peers: ['skopeo', 'umoci', 'podman'],
  run: (parent) =>
    benchPull(parent, {
      group: 'pull and check out an image of 400 MB in 12,000 files, one layer',
      rounds: 5,
      shape: { layers: 1, files: 12_000, bytes: 400_000_000 },
    }),
};

/** The same content in ten layers, which overwrite and hide files of each other. */
export const pullLayersBench: Bench = {
  name: 'pull-layers',
  isLong: true,
  peers: ['skopeo', 'umoci', 'podman'],
  run: (parent) =>
    benchPull(parent, {
      group: 'pull and check out an image of 400 MB in 12,000 files, ten layers',
      rounds: 5,
      shape: { layers: 10, files: 12_000, bytes: 400_000_000 },
    }),
};

/** Many small files. */
export const pullSmallBench: Bench = {
  name: 'pull-small',
  isLong: true,
  peers: ['skopeo', 'umoci', 'podman'],
  run: (parent) =>
    benchPull(parent, {
      group: 'pull and check out an image of 200 MB in 100,000 files',
      rounds: 3,
      shape: { layers: 1, files: 100_000, bytes: 200_000_000 },
    }),
};

/**
 * The whole commands each time, from nothing. berth installs into a tree that is not running: everything is verified, stored by
 * content, durable and checked out. podman mounts its layers and does not check out.
 */
async function benchPull(
  parent: string,
  { group, rounds, shape }: { group: string; rounds: number; shape: LayersShape },
): Promise<readonly Figure[]> {
  await using registry = await startRegistry();
  using dir = new TempDir(parent);
  const layers = await makeLayers(dir.path, shape);
  await pushImage(registry.target('bench'), 'latest', {
    layers: layers.map((path) => ({ content: { path } })),
    process: { Entrypoint: ['/usr/bin/true'] },
  });
  for (const path of layers) rmSync(path);
  const policy = join(dir.path, 'policy.json');
  writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  const reference = registry.reference('bench');
  const place = (name: string, round: number): string => join(dir.path, `${name}${round}`);
  const of = (name: string) => ({
    prepare: (round: number) => {
      mkdirSync(place(name, round));
    },
    cleanUp: (round: number) => {
      rmSync(place(name, round), { recursive: true });
    },
  });
  const program = new URL('../../src/main.js', import.meta.url).pathname;
  return await compare(group, rounds, [
    {
      what: 'berth install: verified, by content, durable',
      ...of('berth'),
      run: async (round, record) => {
        const into = ['--root', place('berth', round)];
        const args = [program, ...into, 'install', '--system', '--name', 'bench', reference];
        record(await runMeasured(process.execPath, args));
      },
    },
    {
      what: 'skopeo copy + umoci unpack',
      ...of('umoci'),
      run: async (round) => {
        const layout = `${place('umoci', round)}/layout:bench`;
        const how = ['--policy', policy, 'copy', '--quiet', '--src-tls-verify=false'];
        await runMeasured('skopeo', [...how, `docker://${reference}`, `oci:${layout}`]);
        const bundle = `${place('umoci', round)}/bundle`;
        await runMeasured('umoci', ['unpack', '--image', layout, bundle]);
      },
    },
    {
      what: 'podman pull (layers, no checkout)',
      ...of('podman'),
      run: async (round, record) => {
        const at = place('podman', round);
        const where = ['--root', `${at}/root`, '--runroot', `${at}/run`];
        const how = ['pull', '--quiet', '--tls-verify=false', '--signature-policy', policy];
        record(await runMeasured('podman', [...where, ...how, reference]));
      },
    },
  ]);
}
