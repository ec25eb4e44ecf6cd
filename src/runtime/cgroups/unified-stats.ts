import { readdirSync } from 'node:fs';

import { isErrno } from '../../errors/is-errno.js';
import type { CgroupStats } from './cgroup.js';
import { cgroupTree, processesOf, readValue } from './cgroup-files.js';

const NS_PER_US = 1000;

/** What a cgroup of version 2 has used, as far as its controllers are there. */
export function readUnifiedStats(directory: string): CgroupStats {
  const read = (file: string): string | undefined => readValue(directory, file);
  return {
    cpu: cpuStats(read('cpu.stat')),
    memory: memoryStats(read),
    pids: pidsStats(directory),
    io: ioStats(read('io.stat') ?? ''),
    hugetlb: hugetlbStats(directory),
  };
}

function cpuStats(text: string | undefined): CgroupStats['cpu'] {
  if (text === undefined) return undefined;
  const values = parseKeyed(text);
  const value = (key: string): number => values[key] ?? 0;
  return {
    usageNs: value('usage_usec') * NS_PER_US,
    userNs: value('user_usec') * NS_PER_US,
    systemNs: value('system_usec') * NS_PER_US,
    periods: value('nr_periods'),
    throttledPeriods: value('nr_throttled'),
    throttledNs: value('throttled_usec') * NS_PER_US,
  };
}

function memoryStats(read: (file: string) => string | undefined): CgroupStats['memory'] {
  const current = read('memory.current');
  if (current === undefined) return undefined;
  const optional = (file: string): number | undefined => {
    const text = read(file);
    return text === undefined ? undefined : Number(text);
  };
  return {
    usageBytes: Number(current),
    limitBytes: parseLimit(read('memory.max')),
    peakBytes: optional('memory.peak'),
    swapBytes: optional('memory.swap.current'),
    oomKills: parseKeyed(read('memory.events') ?? '')['oom_kill'] ?? 0,
    detail: parseKeyed(read('memory.stat') ?? ''),
  };
}

/** Without the controller the processes are counted, and there is no limit. */
function pidsStats(directory: string): CgroupStats['pids'] {
  const current = readValue(directory, 'pids.current');
  if (current !== undefined) {
    return { current: Number(current), limit: parseLimit(readValue(directory, 'pids.max')) };
  }
  const all = cgroupTree(directory).flatMap((place) => processesOf(place));
  return { current: all.length, limit: Infinity };
}

/** Lines of `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …`. */
function ioStats(text: string): CgroupStats['io'] {
  return text.split('\n').flatMap((line) => {
    const [device = '', ...fields] = line.split(' ');
    const [major, minor] = device.split(':').map(Number);
    if (major === undefined || minor === undefined || Number.isNaN(major + minor)) return [];
    const values = Object.fromEntries(
      fields.map((field) => {
        const [key = '', value = '0'] = field.split('=');
        return [key, Number(value)];
      }),
    );
    return [
      {
        major,
        minor,
        readBytes: values['rbytes'] ?? 0,
        writeBytes: values['wbytes'] ?? 0,
        reads: values['rios'] ?? 0,
        writes: values['wios'] ?? 0,
      },
    ];
  });
}

/** Lines of `key number`. */
export function parseKeyed(text: string): Readonly<Record<string, number>> {
  return Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const [key = '', value] = line.split(' ');
      return value === undefined ? [] : [[key, Number(value)]];
    }),
  );
}

/** A limit of a cgroup; `max` and what is missing are none. */
export function parseLimit(text: string | undefined): number {
  return text === undefined || text === 'max' ? Infinity : Number(text);
}

function hugetlbStats(directory: string): CgroupStats['hugetlb'] {
  let names: readonly string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
  return names.flatMap((name) => {
    const pageSize = /^hugetlb\.(\w+)\.current$/.exec(name)?.[1];
    const usage = pageSize === undefined ? undefined : readValue(directory, name);
    return pageSize === undefined || usage === undefined
      ? []
      : [{ pageSize, usageBytes: Number(usage) }];
  });
}
