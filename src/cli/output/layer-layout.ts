/** A box of a drawing. Units of length are those of the drawing. */
export interface PlacedNode {
  readonly id: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A drawing in columns: arrows lead to the right, except those that close a cycle. */
export interface Layout {
  readonly nodes: ReadonlyMap<string, PlacedNode>;
  readonly width: number;
  readonly height: number;
}

const BOX_HEIGHT = 26;
const ROW_GAP = 14;
const COLUMN_GAP = 90;
const MARGIN = 20;
/** Sweeps over the columns; the order hardly changes after these. */
const SWEEPS = 4;

/**
 * Places boxes in columns, each to the right of all that lead to it, and orders each column by where its neighbours stand, so
 * that few arrows cross. Takes time in proportion to boxes and arrows, times a constant; arrows that close a cycle are
 * passed over.
 */
export function layoutLayers(
  boxes: readonly { readonly id: string; readonly width: number }[],
  arrows: readonly { readonly from: string; readonly to: string }[],
): Layout {
  const ids = boxes.map(({ id }) => id);
  const widths = new Map(boxes.map(({ id, width }) => [id, width]));
  const forward = withoutCycles(ids, arrows);
  const columns = orderColumns(assignColumns(ids, forward), forward);
  const nodes = new Map<string, PlacedNode>();
  let x = MARGIN;
  let height = 0;
  const tallest = Math.max(0, ...columns.map((column) => column.length));
  for (const column of columns) {
    const width = Math.max(0, ...column.map((id) => widths.get(id) ?? 0));
    const top = MARGIN + ((tallest - column.length) * (BOX_HEIGHT + ROW_GAP)) / 2;
    column.forEach((id, row) => {
      const y = top + row * (BOX_HEIGHT + ROW_GAP);
      nodes.set(id, { id, x, y, width: widths.get(id) ?? 0, height: BOX_HEIGHT });
      height = Math.max(height, y + BOX_HEIGHT + MARGIN);
    });
    x += width + COLUMN_GAP;
  }
  return { nodes, width: Math.max(x - COLUMN_GAP + MARGIN, 2 * MARGIN), height };
}

interface Neighbours {
  readonly next: ReadonlyMap<string, readonly string[]>;
  readonly previous: ReadonlyMap<string, readonly string[]>;
}

/** Depth first; an arrow to a box that is on the way already is left out. */
function withoutCycles(
  ids: readonly string[],
  arrows: readonly { readonly from: string; readonly to: string }[],
): Neighbours {
  const all = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const { from, to } of arrows) if (all.has(to)) all.get(from)?.push(to);
  const next = new Map<string, string[]>(ids.map((id) => [id, []]));
  const previous = new Map<string, string[]>(ids.map((id) => [id, []]));
  const state = new Map<string, 'on the way' | 'done'>();
  for (const start of ids) {
    if (state.has(start)) continue;
    state.set(start, 'on the way');
    const path = [{ id: start, rest: [...(all.get(start) ?? [])] }];
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const to = top.rest.pop();
      if (to === undefined) {
        state.set(top.id, 'done');
        path.pop();
        continue;
      }
      if (state.get(to) === 'on the way') continue;
      next.get(top.id)?.push(to);
      previous.get(to)?.push(top.id);
      if (state.has(to)) continue;
      state.set(to, 'on the way');
      path.push({ id: to, rest: [...(all.get(to) ?? [])] });
    }
  }
  return { next, previous };
}

/** The longest way to each box; a box that nothing leads to stands left of the first one that it leads to. */
function assignColumns(ids: readonly string[], { next, previous }: Neighbours): string[][] {
  const waiting = new Map(ids.map((id) => [id, previous.get(id)?.length ?? 0]));
  const column = new Map<string, number>();
  const order = ids.filter((id) => waiting.get(id) === 0);
  for (const id of order) {
    const at = column.get(id) ?? 0;
    column.set(id, at);
    for (const to of next.get(id) ?? []) {
      column.set(to, Math.max(column.get(to) ?? 0, at + 1));
      const left = (waiting.get(to) ?? 1) - 1;
      waiting.set(to, left);
      if (left === 0) order.push(to);
    }
  }
  for (const id of order) {
    const followers = (next.get(id) ?? []).map((to) => column.get(to) ?? 0);
    if ((previous.get(id) ?? []).length === 0 && followers.length > 0) {
      column.set(id, Math.max(0, followers.reduce((a, b) => Math.min(a, b)) - 1));
    }
  }
  const count = [...column.values()].reduce((most, at) => Math.max(most, at + 1), 0);
  const columns = Array.from({ length: count }, (): string[] => []);
  for (const id of ids) columns[column.get(id) ?? 0]?.push(id);
  return columns;
}

/** Barycentres, to the right and to the left in turn. */
function orderColumns(columns: string[][], { next, previous }: Neighbours): readonly string[][] {
  const place = new Map<string, number>();
  const number = (column: readonly string[]): void => {
    column.forEach((id, row) => place.set(id, row - column.length / 2));
  };
  columns.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const toTheRight = sweep % 2 === 0;
    const neighbours = toTheRight ? previous : next;
    for (const column of toTheRight ? columns : [...columns].reverse()) {
      const weight = new Map(
        column.map((id) => {
          const rows = (neighbours.get(id) ?? []).map((other) => place.get(other) ?? 0);
          const mean =
            rows.length === 0 ? (place.get(id) ?? 0) : rows.reduce((a, b) => a + b) / rows.length;
          return [id, mean];
        }),
      );
      column.sort((a, b) => (weight.get(a) ?? 0) - (weight.get(b) ?? 0) || (a < b ? -1 : 1));
      number(column);
    }
  }
  return columns;
}
