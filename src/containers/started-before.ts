import { stat } from '../base/quick-files.js';
import type { Host } from './host.js';
import { statesOf } from './list-containers.js';

/** Those of the units that became active before a file was written: they run by what was there then. */
export async function startedBefore(
  host: Host,
  units: readonly string[],
  file: string,
): Promise<readonly string[]> {
  if (units.length === 0) return [];
  const { mtimeMs } = await stat(host.paths.onDisk(file));
  const states = await statesOf(host, units);
  return units.filter((unit) => {
    const since = states.get(unit)?.activeEnterTimestampUs ?? 0n;
    return Number(since) / 1000 < mtimeMs;
  });
}
