import { escapeText } from '../../base/escape-text.js';
import type { StartGraph } from '../../containers/graph/start-graph.js';
import { formatReason } from './format-graph.js';

/** The graph in the language of dot(1): an arrow leads to who starts later; dashed ones only bring along. */
export function formatGraphDot(graph: StartGraph): string {
  const inCycle = new Set(
    graph.cycles.flatMap((cycle) =>
      cycle.slice(1).map((unit, index) => `${unit} ${cycle[index] ?? ''}`),
    ),
  );
  const nodes = graph.nodes.map(({ unit, container, loadState }) => {
    const style =
      container === undefined ? (loadState === 'not-found' ? 'dashed' : 'solid') : 'filled';
    return `  ${quoteDot(unit)} [label=${quoteDot(container ?? unit)}, style=${style}];`;
  });
  const edges = graph.edges.map((edge) => {
    const attributes = [
      `tooltip=${quoteDot(edge.reasons.map(formatReason).join('; '))}`,
      ...(edge.ordered ? [] : ['style=dashed']),
      ...(edge.pulls.length === 0 ? [] : [`label=${quoteDot(edge.pulls.join(' '))}`]),
      ...(inCycle.has(`${edge.first} ${edge.then}`) ? ['color=red'] : []),
    ];
    return `  ${quoteDot(edge.first)} -> ${quoteDot(edge.then)} [${attributes.join(', ')}];`;
  });
  return [
    'digraph "berth" {',
    '  rankdir=LR;',
    '  node [shape=box, fillcolor="#dbe9f6"];',
    ...nodes,
    ...edges,
    '}',
    '',
  ].join('\n');
}

/** A quoted string of dot: only the quote ends it, and a backslash begins one of dot's escapes (`\N`, `\l`). */
function quoteDot(text: string): string {
  const safe = escapeText(text, 1000);
  return `"${safe.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
