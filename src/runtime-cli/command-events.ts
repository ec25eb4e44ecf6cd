import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { OperationalError } from '../errors/operational-error.js';
import type { CgroupStats } from '../runtime/cgroups/cgroup.js';
import { cgroupOf } from './container-cgroup.js';
import { isAlive } from './container-process.js';
import { usage } from './parse-arguments.js';
import type { RuntimeCommand } from './runtime-command.js';
import { openContainer } from './runtime-context.js';

/** How long between two looks for a lack of memory. */
const LOOK_MS = 100;

/** `events`. */
export const events: RuntimeCommand = {
  options: { stats: 'flag', interval: 'value' },
  async run(context, args) {
    const store = openContainer(context, args.rest[0]);
    const record = store.read();
    if (!isAlive(record)) {
      throw new OperationalError(
        'CONTAINER_NOT_RUNNING',
        `container with id ${store.id} is not running`,
      );
    }
    const cgroup = cgroupOf(record);
    const print = (type: string, data?: unknown): void => {
      writeSync(
        1,
        `${JSON.stringify({ type, id: store.id, ...(data === undefined ? {} : { data }) })}\n`,
      );
    };
    if (args.has('stats')) {
      print('stats', statistics(cgroup.stats()));
      return 0;
    }
    const intervalMs = parseInterval(args.value('interval') ?? '5s');
    let kills = cgroup.stats().memory?.oomKills ?? 0;
    for (let waited = 0; isAlive(record); waited += LOOK_MS) {
      const now = cgroup.stats().memory?.oomKills ?? 0;
      if (now > kills) print('oom');
      kills = now;
      if (waited >= intervalMs) {
        print('stats', statistics(cgroup.stats()));
        waited = 0;
      }
      await delay(LOOK_MS);
    }
    return 0;
  },
};

/** A duration as Go writes it: `5s`, `500ms`, `1m30s`. */
function parseInterval(text: string): number {
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const total = parts.reduce(
    (sum, [, count, unit = '']) => sum + Number(count) * (units[unit] ?? 0),
    0,
  );
  if (parts.map(([whole]) => whole).join('') !== text || total <= 0)
    usage('duration interval must be greater than 0');
  return total;
}

/** What runc prints, as far as the host counts it. */
function statistics(stats: CgroupStats): Readonly<Record<string, unknown>> {
  const { cpu, memory, pids } = stats;
  const limited = (bytes: number | undefined): number =>
    bytes === undefined || bytes === Infinity ? 0 : bytes;
  return {
    cpu: {
      usage: { total: cpu?.usageNs ?? 0, kernel: cpu?.systemNs ?? 0, user: cpu?.userNs ?? 0 },
      throttling: {
        periods: cpu?.periods ?? 0,
        throttledPeriods: cpu?.throttledPeriods ?? 0,
        throttledTime: cpu?.throttledNs ?? 0,
      },
    },
    memory: {
      usage: {
        usage: memory?.usageBytes ?? 0,
        limit: limited(memory?.limitBytes),
        max: memory?.peakBytes ?? 0,
        failcnt: memory?.oomKills ?? 0,
      },
      cache: memory?.detail['file'] ?? memory?.detail['cache'] ?? 0,
      raw: memory?.detail ?? {},
    },
    pids: { current: pids?.current ?? 0, limit: limited(pids?.limit) },
  };
}
