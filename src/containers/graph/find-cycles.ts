/** Cycles that are named; one is enough to know that something is wrong, and each group of units has one. */
const MAX_CYCLES = 100;

/**
 * Cycles of a relation `unit → units that it waits for`: one, a short one, for each group of units that wait for each other.
 * Each is a way from a unit back to itself, with it at both ends. Takes time in proportion to the relation.
 */
export function findCycles(
  waitsFor: ReadonlyMap<string, ReadonlySet<string>>,
): readonly (readonly string[])[] {
  return findGroups(waitsFor)
    .slice(0, MAX_CYCLES)
    .map((group) => shortestCycle(waitsFor, group));
}

/** Tarjan's strongly connected components, with a stack of its own: a chain of thousands of units is no reason to fail. */
function findGroups(
  waitsFor: ReadonlyMap<string, ReadonlySet<string>>,
): readonly ReadonlySet<string>[] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const open = new Set<string>();
  const stack: string[] = [];
  const groups: ReadonlySet<string>[] = [];
  const enter = (unit: string): { unit: string; rest: string[] } => {
    index.set(unit, index.size);
    low.set(unit, index.size - 1);
    stack.push(unit);
    open.add(unit);
    return { unit, rest: [...(waitsFor.get(unit) ?? [])] };
  };
  for (const start of waitsFor.keys()) {
    if (index.has(start)) continue;
    const path = [enter(start)];
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const next = top.rest.pop();
      if (next !== undefined) {
        if (!index.has(next)) path.push(enter(next));
        else if (open.has(next)) lower(low, top.unit, index.get(next));
        continue;
      }
      path.pop();
      const above = path.at(-1);
      if (above !== undefined) lower(low, above.unit, low.get(top.unit));
      if (low.get(top.unit) !== index.get(top.unit)) continue;
      const group = new Set<string>();
      for (let member = stack.pop(); member !== undefined; member = stack.pop()) {
        open.delete(member);
        group.add(member);
        if (member === top.unit) break;
      }
      if (group.size > 1 || waitsFor.get(top.unit)?.has(top.unit) === true) groups.push(group);
    }
  }
  return groups;
}

function lower(low: Map<string, number>, unit: string, value: number | undefined): void {
  low.set(
    unit,
    Math.min(low.get(unit) ?? Number.MAX_SAFE_INTEGER, value ?? Number.MAX_SAFE_INTEGER),
  );
}

/** From the first unit of the group by name, breadth first, back to it. */
function shortestCycle(
  waitsFor: ReadonlyMap<string, ReadonlySet<string>>,
  group: ReadonlySet<string>,
): readonly string[] {
  const start = [...group].sort()[0] ?? '';
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const unit of queue) {
    for (const next of waitsFor.get(unit) ?? []) {
      if (next === start) return [...wayTo(unit, cameFrom), start];
      if (!group.has(next) || cameFrom.has(next)) continue;
      cameFrom.set(next, unit);
      queue.push(next);
    }
  }
  return [start];
}

function wayTo(unit: string, cameFrom: ReadonlyMap<string, string>): readonly string[] {
  const way = [unit];
  for (let at = cameFrom.get(unit); at !== undefined; at = cameFrom.get(at)) way.unshift(at);
  return way;
}
