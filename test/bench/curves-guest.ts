import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { pushImage } from '../support/push-image.js';
import { startRegistry } from '../support/registry.js';
import { makeGuestPlace, PLACE } from './guest-place.js';
import type { LayersShape } from './make-layers.js';
import { compare, type Figure } from './measure.js';
import { mustRun } from './must-run.js';
import { BERTH_PROGRAM, installWithBerth, PullContenders } from './pull-contenders.js';

/*
 * On the host: one thing is made larger at a time. Small points are measured three times, large ones once.
 */

/** A figure of a curve. */
export interface CurvePoint extends Figure {
  /** Names the files of its plots. */
  readonly curve: string;
  readonly title: string;
  readonly xLabel: string;
  readonly series: string;
  readonly x: number;
}

interface PullCurve {
  readonly curve: string;
  readonly title: string;
  readonly xLabel: string;
  readonly at: readonly number[];
  shape(x: number): LayersShape;
}

const PULL_CURVES: readonly PullCurve[] = [
  {
    curve: 'size',
    title: 'Pull and check out one layer of 500 files',
    xLabel: 'size of the layer, MB',
    at: [10, 30, 100, 300, 1000, 4000],
    shape: (x) => ({ layers: 1, files: 500, bytes: x * 1e6 }),
  },
  {
    curve: 'files',
    title: 'Pull and check out files of 2 kB, one layer',
    xLabel: 'files',
    at: [100, 1000, 10_000, 50_000, 200_000],
    shape: (x) => ({ layers: 1, files: x, bytes: x * 2000 }),
  },
  {
    curve: 'layers',
    title: 'Pull and check out 100 MB in 6,000 files',
    xLabel: 'layers',
    at: [1, 4, 15, 60],
    shape: (x) => ({ layers: x, files: 6000, bytes: 100e6 }),
  },
];

/** How many containers there are when the next one is installed and all are listed. */
const CONTAINERS = [1, 10, 100, 1000];

/** Above this size a point is measured once. */
const LARGE_BYTES = 300e6;

const maker = makeGuestPlace();
const points: CurvePoint[] = [];
for (const curve of PULL_CURVES) {
  for (const x of curve.at) points.push(...(await measurePull(curve, x)));
}
points.push(...(await measureContainers()));
process.stdout.write(JSON.stringify(points));

async function measurePull(of: PullCurve, x: number): Promise<readonly CurvePoint[]> {
  const { curve, title, xLabel } = of;
  const shape = of.shape(x);
  await using registry = await startRegistry();
  const layers = await maker.layers(shape);
  await pushImage(registry.target('bench'), 'latest', {
    layers: layers.map((path) => ({ content: { path } })),
    process: { Entrypoint: ['/usr/bin/true'] },
  });
  for (const layer of layers) rmSync(layer);
  const by = new PullContenders(PLACE, registry.reference('bench'));
  const rounds = shape.bytes > LARGE_BYTES || shape.files > 50_000 ? 1 : 3;
  const group = `${title}: ${x} ${xLabel.replace(/.*, /, '')}`;
  const found = await compare(group, rounds, [by.berth(), by.podman(), by.umoci()]);
  const names = ['berth', 'podman pull', 'skopeo + umoci'];
  return found.map((figure, index) => ({
    ...figure,
    curve,
    title,
    xLabel,
    series: names[index] ?? '',
    x,
  }));
}

async function measureContainers(): Promise<readonly CurvePoint[]> {
  await using registry = await startRegistry();
  const layers = await maker.layers({ layers: 1, files: 40, bytes: 1_000_000 });
  await pushImage(registry.target('bench'), 'latest', {
    layers: layers.map((path) => ({ content: { path } })),
    process: { Entrypoint: ['/usr/bin/true'] },
  });
  const root = join(PLACE, 'many');
  mkdirSync(root);
  const reference = registry.reference('bench');
  const found: CurvePoint[] = [];
  let there = 0;
  for (const x of CONTAINERS) {
    for (; there < x - 1; there++) await installWithBerth(root, `c${there}`, reference);
    const place = { title: 'With so many containers installed', xLabel: 'containers', x };
    const group = `${place.title}: ${x}`;
    const [install] = await compare(group, 1, [
      {
        what: `install of the last one`,
        run: async (_round, record) => {
          const { cpuMs } = await installWithBerth(root, `c${there}`, reference);
          record({ cpuMs });
        },
      },
    ]);
    there += 1;
    const lists = await compare(group, 5, [
      {
        what: 'berth list',
        run: () => {
          mustRun(process.execPath, [BERTH_PROGRAM, '--root', root, 'list']);
        },
      },
      {
        what: 'node -e 0',
        run: () => {
          mustRun(process.execPath, ['-e', '0']);
        },
      },
    ]);
    for (const figure of [install, ...lists]) {
      if (figure === undefined) continue;
      found.push({ ...figure, ...place, curve: 'containers', series: figure.what });
    }
  }
  return found;
}
