import { isUp } from './judge-state.js';
import type { Host } from './host.js';

/**
 * Most units that are looked at: a host has some hundreds, and what is required by more than these is no container's
 * unit.
 */
const MAX_UNITS = 1_000;

/**
 * The units that are up now and would go down with `unit`: those that require it, are bound to it or part of it, and in
 * their turn those that depend on them. The nearest ones first, so that starting them in this order is right.
 */
export async function findActiveDependents(host: Host, unit: string): Promise<readonly string[]> {
  const manager = await host.openUnitManager();
  const found = new Set<string>();
  for (let layer = [unit]; layer.length > 0 && found.size < MAX_UNITS;) {
    const names = new Set<string>();
    for (const name of layer) {
      for (const dependent of await manager.findDependents(name)) {
        if (dependent !== unit && !found.has(dependent)) names.add(dependent);
      }
    }
    const states = await manager.getStates([...names]);
    layer = states.filter(isUp).map((state) => state.unit);
    for (const name of layer) found.add(name);
  }
  return [...found];
}
