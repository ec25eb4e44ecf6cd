/** A line of a {@link plotSvg}. */
export interface PlotSeries {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** What a plot shows. Both axes are logarithmic: a straight line of slope one is a cost in proportion. */
export interface Plot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly PlotSeries[];
  /** Below the plot: the machine it was made on. */
  readonly note: string;
}

const WIDTH = 640;
/** For what the last number below the plot stands out. */
const MARGIN = 24;
const HEIGHT = 400;
const LEFT = 70;
const RIGHT = 20;
const TOP = 50;
const BOTTOM = 80;

/** berth's line stands first and out. */
const COLOURS = ['#0b62c4', '#9a6700', '#8250df', '#57606a'];

const FONT = 'font-family="system-ui, sans-serif"';

/** Draws lines as SVG: readable on a light and on a dark page, with no script and nothing from elsewhere. */
export function plotSvg(plot: Plot): string {
  const all = plot.series.flatMap(({ points }) => points);
  const x = logScale(
    all.map((point) => point.x),
    [LEFT, WIDTH - RIGHT],
  );
  const y = logScale(
    all.map((point) => point.y),
    [HEIGHT - BOTTOM, TOP],
  );
  const grid = [
    ...x.ticks.map((tick) =>
      gridLine({
        from: [x.at(tick), TOP],
        to: [x.at(tick), HEIGHT - BOTTOM],
        label: `<text x="${x.at(tick)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${formatTick(tick)}</text>`,
      }),
    ),
    ...y.ticks.map((tick) =>
      gridLine({
        from: [LEFT, y.at(tick)],
        to: [WIDTH - RIGHT, y.at(tick)],
        label: `<text x="${LEFT - 8}" y="${y.at(tick) + 4}" text-anchor="end">${formatTick(tick)}</text>`,
      }),
    ),
  ];
  const lines = plot.series.map(({ name, points }, index) => {
    const colour = COLOURS[index % COLOURS.length] ?? '#000000';
    const path = points.map((point) => `${x.at(point.x)},${y.at(point.y)}`).join(' ');
    const dots = points.map(
      (point) => `<circle cx="${x.at(point.x)}" cy="${y.at(point.y)}" r="3.5" fill="${colour}"/>`,
    );
    const legend = `<text x="${LEFT + 10 + index * 165}" y="${TOP - 8}" fill="${colour}">● ${escape(name)}</text>`;
    return [
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="${index === 0 ? 3 : 1.5}"/>`,
      ...dots,
      legend,
    ].join('\n');
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH + MARGIN} ${HEIGHT}" width="${WIDTH + MARGIN}" height="${HEIGHT}" role="img" aria-label="${escape(plot.title)}">`,
    `<rect width="${WIDTH + MARGIN}" height="${HEIGHT}" rx="6" fill="#ffffff"/>`,
    `<g ${FONT} font-size="12" fill="#24292f">`,
    `<text x="${LEFT}" y="22" font-size="15" font-weight="600">${escape(plot.title)}</text>`,
    ...grid,
    ...lines,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - BOTTOM + 40}" text-anchor="middle">${escape(plot.xLabel)}</text>`,
    `<text x="16" y="${(TOP + HEIGHT - BOTTOM) / 2}" text-anchor="middle" transform="rotate(-90 16 ${(TOP + HEIGHT - BOTTOM) / 2})">${escape(plot.yLabel)}</text>`,
    `<text x="${LEFT}" y="${HEIGHT - 12}" font-size="10" fill="#57606a">${escape(plot.note)}</text>`,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

function gridLine({
  from,
  to,
  label,
}: {
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  readonly label: string;
}): string {
  return `<line x1="${from[0]}" y1="${from[1]}" x2="${to[0]}" y2="${to[1]}" stroke="#d0d7de"/>\n${label}`;
}

/** Ticks are at 1, 2 and 5 of each power of ten, or at powers alone where the range is wide. */
function logScale(
  values: readonly number[],
  [start, end]: readonly [number, number],
): { readonly ticks: readonly number[]; at(value: number): number } {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const isWide = high / low > 500;
  const steps = isWide ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    ticks.push(...steps.map((step) => Number((step * 10 ** power).toPrecision(1))));
  }
  const bottom = ticks.filter((tick) => tick <= low).at(-1) ?? low;
  const top = ticks.find((tick) => tick >= high) ?? high;
  const span = Math.log(top / bottom) || 1;
  return {
    ticks: ticks.filter((tick) => tick >= bottom && tick <= top),
    at: (value) => Number((start + ((end - start) * Math.log(value / bottom)) / span).toFixed(1)),
  };
}

function formatTick(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 3 });
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
