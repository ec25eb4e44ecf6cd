import type { CgroupStats } from './cgroup.js';
import { readValue } from './cgroup-files.js';
import { parseKeyed, parseLimit } from './unified-stats.js';

/** How version 1 says "no limit": the largest number of pages. */
const NO_LIMIT_BYTES = 2 ** 62;
/** USER_HZ, in which cpuacct counts on every architecture. */
const TICKS_PER_SECOND = 100;

/** What a cgroup of version 1 has used; `processes` is counted by the caller. */
export function readLegacyStats(
  directories: Readonly<Record<string, string>>,
  processes: number,
): CgroupStats {
  const read = (controller: string, file: string): string | undefined => {
    const directory = directories[controller];
    return directory === undefined ? undefined : readValue(directory, file);
  };
  const current = read('pids', 'pids.current');
  return {
    cpu: cpuStats(read),
    memory: memoryStats(read),
    pids: {
      current: current === undefined ? processes : Number(current),
      limit: parseLimit(read('pids', 'pids.max')),
    },
    io: ioStats(read),
    hugetlb: [],
  };
}

type Read = (controller: string, file: string) => string | undefined;

function cpuStats(read: Read): CgroupStats['cpu'] {
  const usage = read('cpuacct', 'cpuacct.usage');
  if (usage === undefined) return undefined;
  const ticks = parseKeyed(read('cpuacct', 'cpuacct.stat') ?? '');
  const throttled = parseKeyed(read('cpu', 'cpu.stat') ?? '');
  const ns = (count: number | undefined): number => ((count ?? 0) / TICKS_PER_SECOND) * 1e9;
  return {
    usageNs: Number(usage),
    userNs: ns(ticks['user']),
    systemNs: ns(ticks['system']),
    periods: throttled['nr_periods'] ?? 0,
    throttledPeriods: throttled['nr_throttled'] ?? 0,
    throttledNs: throttled['throttled_time'] ?? 0,
  };
}

function memoryStats(read: Read): CgroupStats['memory'] {
  const usage = read('memory', 'memory.usage_in_bytes');
  if (usage === undefined) return undefined;
  const number = (file: string): number | undefined => {
    const text = read('memory', file);
    return text === undefined ? undefined : Number(text);
  };
  const limit = number('memory.limit_in_bytes') ?? Infinity;
  const together = number('memory.memsw.usage_in_bytes');
  return {
    usageBytes: Number(usage),
    limitBytes: limit >= NO_LIMIT_BYTES ? Infinity : limit,
    peakBytes: number('memory.max_usage_in_bytes'),
    swapBytes: together === undefined ? undefined : Math.max(0, together - Number(usage)),
    oomKills: parseKeyed(read('memory', 'memory.oom_control') ?? '')['oom_kill'] ?? 0,
    detail: parseKeyed(read('memory', 'memory.stat') ?? ''),
  };
}

/** Lines of `8:0 Read 4096`, bytes and operations in files of their own. */
function ioStats(read: Read): CgroupStats['io'] {
  const devices = new Map<string, Record<string, number>>();
  for (const [file, unit] of [
    ['blkio.throttle.io_service_bytes', 'bytes'],
    ['blkio.throttle.io_serviced', 'count'],
  ] as const) {
    for (const line of (read('blkio', file) ?? '').split('\n')) {
      const [device = '', operation = '', value] = line.split(' ');
      if (value === undefined) continue;
      const row = devices.get(device) ?? {};
      row[`${operation} ${unit}`] = Number(value);
      devices.set(device, row);
    }
  }
  return [...devices].map(([device, row]) => {
    const [major = 0, minor = 0] = device.split(':').map(Number);
    return {
      major,
      minor,
      readBytes: row['Read bytes'] ?? 0,
      writeBytes: row['Write bytes'] ?? 0,
      reads: row['Read count'] ?? 0,
      writes: row['Write count'] ?? 0,
    };
  });
}
