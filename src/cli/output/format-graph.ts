import { escapeText } from '../../base/escape-text.js';
import type { BootTimes } from '../../containers/graph/boot-times.js';
import type { Reason } from '../../containers/graph/explain-order.js';
import type { GraphEdge, GraphNode, StartGraph } from '../../containers/graph/start-graph.js';

/** The graph for people: for each container whom it waits for and who waits for it, each with who says so. */
export function formatGraph(graph: StartGraph): string {
  const containers = graph.nodes.filter((node) => node.container !== undefined);
  if (containers.length === 0) return 'no container with a service is installed\n';
  const nodes = new Map(graph.nodes.map((node) => [node.unit, node]));
  const before = groupBy(graph.edges, (edge) => edge.then);
  const after = groupBy(graph.edges, (edge) => edge.first);
  const lines = containers.flatMap(({ unit, container }) => [
    escapeText(container ?? unit),
    ...(before.get(unit) ?? []).flatMap((edge) =>
      describeEdge(edge, { words: verbOf(edge), other: nodes.get(edge.first) }),
    ),
    ...(after.get(unit) ?? []).flatMap((edge) =>
      describeEdge(edge, {
        words: edge.ordered ? 'starts before' : 'is brought along by',
        other: nodes.get(edge.then),
      }),
    ),
    '',
  ]);
  if (graph.truncated)
    lines.push('There are more units than are looked at; some are left out.', '');
  lines.push(...formatCycles(graph));
  return `${lines.join('\n').trimEnd()}\n`;
}

/** What is to be said of cycles; nothing where there are none. */
export function formatCycles(graph: StartGraph): readonly string[] {
  if (graph.cycles.length === 0) return [];
  return [
    'Cycles: systemd breaks each at boot by not starting one of its units',
    ...graph.cycles.map((cycle) => `  ${escapeText(cycle.map(shorten).join(' -> '), 2000)}`),
  ];
}

/** Who says so, in a few words. */
export function formatReason(reason: Reason): string {
  switch (reason.kind) {
    case 'directive':
      return `${reason.directive}= ${escapeText(reason.file)}:${reason.line}`;
    case 'image':
      return `the image of ${escapeText(reason.container)}: ${reason.says} ${escapeText(reason.name)}`;
    case 'implicit':
      return `implicit: ${reason.rule}${reason.file === undefined ? '' : ` ${escapeText(reason.file)}:${reason.line ?? 0}`}`;
  }
}

/** The times of the last boot for people. */
export function formatBootTimes(times: BootTimes): string {
  if (times.containers.length === 0) return 'no container with a service is installed\n';
  const lines = times.containers.flatMap((time) => {
    if (time.startedAtMs === undefined) return [`${time.container}: not started since the boot`];
    const took =
      time.tookMs === undefined ? 'did not become active' : `took ${formatMs(time.tookMs)}`;
    const note = time.later ? ', started after the boot' : '';
    return [
      `${time.container}: ${took}, began at ${formatMs(time.startedAtMs)}${note}`,
      ...time.chain.map(
        (link, depth) =>
          `  ${'  '.repeat(Math.min(depth, 20))}waited for ${escapeText(link.unit)}, active at ${formatMs(link.activeAtMs)}${link.tookMs === 0 ? '' : ` after ${formatMs(link.tookMs)}`}`,
      ),
    ];
  });
  return `${lines.join('\n')}\n`;
}

function formatMs(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(3)} s`;
}

function verbOf(edge: GraphEdge): string {
  return edge.ordered ? 'starts after' : 'brings along';
}

function describeEdge(
  edge: GraphEdge,
  how: { readonly words: string; readonly other: GraphNode | undefined },
): readonly string[] {
  const { other, words } = how;
  const name = other === undefined ? '' : (other.container ?? other.unit);
  const missing = other?.loadState === 'not-found' ? ', which is not there' : '';
  const pulls =
    edge.pulls.length === 0 || !edge.ordered
      ? ''
      : ` (${edge.pulls.map((pull) => `${pull}=`).join(' ')})`;
  return [
    `  ${words} ${escapeText(name)}${pulls}${missing}`,
    ...edge.reasons.map((reason) => `      ${formatReason(reason)}`),
  ];
}

function shorten(unit: string): string {
  return unit.replace(/\.service$/, '');
}

function groupBy<T>(
  items: readonly T[],
  key: (item: T) => string,
): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item)) ?? [];
    group.push(item);
    groups.set(key(item), group);
  }
  return groups;
}
