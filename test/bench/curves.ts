import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { debianImageLayers } from '../support/debian-image.js';
import type { CurvePoint } from './curves-guest.js';
import { readMachineFacts } from './machine.js';
import type { Bench, Figure } from './measure.js';
import { CORPUS } from './guest-place.js';
import { measureOnHost } from './on-host.js';
import { plotSvg } from './plot.js';

/** Where the plots of the performance page are. */
const PLOTS = new URL('../../../packaging/performance/', import.meta.url).pathname;

/**
 * What pulls and lists cost against what they depend on: the size of a layer, how many files, layers and containers there are. It
 * takes half an hour, and writes the plots of the performance page.
 */
export const curvesBench: Bench = { name: 'curves', isLong: true, peers: [], run: measureCurves };

async function measureCurves(): Promise<readonly Figure[]> {
  const [, corpus = ''] = await debianImageLayers('docker');
  const figures = await measureOnHost('curves-guest.js', {
    files: { [CORPUS]: corpus },
  });
  const { cpu, cores, kernel, node } = await readMachineFacts([]);
  const linux = kernel.split('.').slice(0, 2).join('.');
  const note = `${cpu}, ${cores} cores, Linux ${linux}, Node ${node}, tmpfs; the others as in Debian forky`;
  mkdirSync(PLOTS, { recursive: true });
  for (const curve of new Set(figures.map((figure) => (figure as CurvePoint).curve))) {
    const own = figures.map((figure) => figure as CurvePoint).filter((of) => of.curve === curve);
    writeFileSync(join(PLOTS, `${curve}-time.svg`), plotOf(own, { note, of: 'time' }));
    if (own.some(({ peakBytes }) => peakBytes !== undefined))
      writeFileSync(join(PLOTS, `${curve}-memory.svg`), plotOf(own, { note, of: 'memory' }));
  }
  return figures;
}

function plotOf(
  points: readonly CurvePoint[],
  { note, of }: { readonly note: string; readonly of: 'time' | 'memory' },
): string {
  const valueOf = ({ medianMs, peakBytes }: CurvePoint): number =>
    of === 'time' ? medianMs / 1000 : (peakBytes ?? 0) / 1e6;
  const names = [...new Set(points.map(({ series }) => series))];
  const series = names.map((name) => ({
    name,
    points: points
      .filter((point) => point.series === name && valueOf(point) > 0)
      .map((point) => ({ x: point.x, y: valueOf(point) })),
  }));
  return plotSvg({
    title: points[0]?.title ?? '',
    xLabel: points[0]?.xLabel ?? '',
    yLabel: of === 'time' ? 'seconds' : 'peak memory of the command, MB',
    series: series.filter((line) => line.points.length > 0),
    note,
  });
}
