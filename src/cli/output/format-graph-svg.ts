import { escapeText } from '../../base/escape-text.js';
import type { GraphEdge, StartGraph } from '../../containers/graph/start-graph.js';
import { formatReason } from './format-graph.js';
import { layoutLayers, type PlacedNode } from './layer-layout.js';

/** Width of a letter and of what stands around a name, in pixels of the drawing. */
const LETTER = 7.3;
const PADDING = 16;
/** A name has at most this many letters in its box; the whole stands in its title. */
const MAX_LETTERS = 40;

const STYLE = `text{font:12px ui-monospace,monospace;fill:#1d2733}rect{fill:#fff;stroke:#8a97a6}
.container rect{fill:#dbe9f6;stroke:#3c6e9f}.missing rect{stroke-dasharray:4 3}
path{fill:none;stroke:#8a97a6}.pull{stroke-dasharray:4 3}.required{stroke:#3c6e9f;stroke-width:1.6}
.cycle{stroke:#c0392b;stroke-width:2}`;

/** The graph as a picture that stands by itself: boxes in the order of their start, who says so in the title of each arrow. */
export function formatGraphSvg(graph: StartGraph): string {
  const boxes = graph.nodes.map((node) => ({
    id: node.unit,
    width: labelOf(node.container ?? node.unit).length * LETTER + PADDING,
  }));
  const ordered = graph.edges.filter((edge) => edge.ordered);
  const layout = layoutLayers(
    boxes,
    ordered.map(({ first, then }) => ({ from: first, to: then })),
  );
  const inCycle = new Set(
    graph.cycles.flatMap((cycle) =>
      cycle.slice(1).map((unit, index) => `${unit} ${cycle[index] ?? ''}`),
    ),
  );
  const arrows = graph.edges.flatMap((edge) => {
    const from = layout.nodes.get(edge.first);
    const to = layout.nodes.get(edge.then);
    if (from === undefined || to === undefined) return [];
    return [drawArrow(edge, { from, to, cycle: inCycle.has(`${edge.first} ${edge.then}`) })];
  });
  const drawn = graph.nodes.map((node) => {
    const box = layout.nodes.get(node.unit);
    if (box === undefined) return '';
    const kind =
      node.container !== undefined
        ? 'container'
        : node.loadState === 'not-found'
          ? 'missing'
          : 'unit';
    const { x, y, width, height } = box;
    return `<g class="${kind}"><title>${escapeXml(node.unit)}</title><rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" height="${height}" rx="4"/><text x="${(x + PADDING / 2).toFixed(1)}" y="${(y + 17).toFixed(1)}">${escapeXml(labelOf(node.container ?? node.unit))}</text></g>`;
  });
  const { width, height } = layout;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${Math.ceil(width)}" height="${Math.ceil(height)}" viewBox="0 0 ${Math.ceil(width)} ${Math.ceil(height)}">`,
    `<title>Who starts before whom</title><style>${STYLE}</style>`,
    '<defs><marker id="to" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" style="fill:#8a97a6;stroke:none"/></marker></defs>',
    ...arrows,
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}

function drawArrow(
  edge: GraphEdge,
  how: { readonly from: PlacedNode; readonly to: PlacedNode; readonly cycle: boolean },
): string {
  const { from, to, cycle } = how;
  const start = { x: from.x + from.width, y: from.y + from.height / 2 };
  const end = { x: to.x, y: to.y + to.height / 2 };
  const bend = Math.max(40, Math.abs(end.x - start.x) / 2);
  const point = (x: number, y: number): string => `${x.toFixed(1)} ${y.toFixed(1)}`;
  const path = `M${point(start.x, start.y)}C${point(start.x + bend, start.y)} ${point(end.x - bend, end.y)} ${point(end.x, end.y)}`;
  const kind = cycle
    ? 'cycle'
    : !edge.ordered
      ? 'pull'
      : edge.pulls.length > 0
        ? 'required'
        : 'order';
  const why = [
    `${edge.first} before ${edge.then}`,
    ...edge.pulls.map((pull) => `${pull}=`),
    ...edge.reasons.map(formatReason),
  ];
  return `<path class="${kind}" d="${path}" marker-end="url(#to)"><title>${escapeXml(why.join('\n'))}</title></path>`;
}

function labelOf(name: string): string {
  const safe = escapeText(name, 1000);
  return safe.length <= MAX_LETTERS ? safe : `${safe.slice(0, MAX_LETTERS - 1)}…`;
}

/** Text of an element or attribute; characters that XML cannot have are shown as escapes, line breaks stay. */
function escapeXml(text: string): string {
  return text
    .split('\n')
    .map((line) => escapeText(line, 4000))
    .join('\n')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
