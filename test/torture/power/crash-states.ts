import type { LoggedRequest } from './block-log.js';

/** What a disk may hold after its power was cut: all requests before `whole`, and of the following ones `also`. */
export interface CrashState {
  readonly kind: 'prefix' | 'subset' | 'torn';
  readonly whole: number;
  /** Indices of requests at or after `whole`, ascending. */
  readonly also: readonly number[];
  /** Of the last request of `also`, this many sectors only. */
  readonly tornSectors?: number;
}

/** Which states are wanted. */
export interface CrashOptions {
  /** Requests before this one had been flushed when what is cut off began. */
  readonly from: number;
  /** The cut is before this one; where there are requests after it, it is the first after a flush. */
  readonly to: number;
  readonly count: number;
  readonly atomicSectors: number;
  /** Numbers from 0 to 1. */
  readonly random: () => number;
}

/** Up to this many writes between two flushes, each subset of them is tried: 2^8 states. */
const MAX_EXHAUSTIVE_WRITES = 8;

/** Random subsets of a longer stretch, for each of its writes. */
const SUBSETS_PER_WRITE = 8;

/**
 * States that a disk with a volatile cache may be in after a power cut: what was flushed is there; of what was written
 * since, anything may be there or not, in any combination, and the last write may have come to a part of its sectors.
 * Of `count` states, half are cuts between two requests that keep their order, spread evenly; the rest is drawn from
 * the combinations and the torn writes.
 */
export function crashStates(
  requests: readonly LoggedRequest[],
  options: CrashOptions,
): readonly CrashState[] {
  const { from, to, count, random } = options;
  const prefixes = Array.from({ length: to - from + 1 }, (_, index): CrashState => ({
    kind: 'prefix',
    whole: from + index,
    also: [],
  })).filter(({ whole }) => whole === from || requests[whole - 1]?.isFlush !== true);
  const between = stretches(requests, options);
  const subsets = between.flatMap((stretch) => subsetsOf(stretch, random));
  const torn = between.flatMap((stretch) => tornWrites(stretch, { requests, options }));
  const disorder = Math.floor(count / 2);
  const tornCount = Math.min(torn.length, Math.floor(disorder / 3));
  const subsetCount = Math.min(subsets.length, disorder - tornCount);
  const prefixCount = Math.min(prefixes.length, count - tornCount - subsetCount);
  return [
    ...spread(prefixes, prefixCount),
    ...sample(subsets, { count: count - prefixCount - tornCount, random }),
    ...sample(torn, { count: tornCount, random }),
  ];
}

/** Indices of the writes between two flushes, for each two. */
function stretches(
  requests: readonly LoggedRequest[],
  { from, to }: CrashOptions,
): readonly (readonly number[])[] {
  const all: number[][] = [[]];
  for (let index = from; index < to; index++) {
    if (requests[index]?.isFlush === true) all.push([]);
    else all.at(-1)?.push(index);
  }
  return all.filter((stretch) => stretch.length > 0);
}

/** The subsets of a stretch that are not its beginning. */
function subsetsOf(stretch: readonly number[], random: () => number): readonly CrashState[] {
  const whole = stretch[0] ?? 0;
  const masks: (readonly boolean[])[] =
    stretch.length <= MAX_EXHAUSTIVE_WRITES
      ? Array.from({ length: 2 ** stretch.length }, (_, bits) =>
          stretch.map((__, position) => ((bits >> position) & 1) === 1),
        )
      : Array.from({ length: stretch.length * SUBSETS_PER_WRITE }, () => {
          // Few lost, or few kept, as well as half: the first two are what hurts a protocol that trusts an order.
          const kept = [0.1, 0.5, 0.9][Math.floor(random() * 3)] ?? 0.5;
          return stretch.map(() => random() < kept);
        });
  return masks
    .filter((mask) => mask.some((isKept, index) => isKept && mask[index - 1] === false))
    .map((mask) => ({ kind: 'subset', whole, also: stretch.filter((_, index) => mask[index]) }));
}

function tornWrites(
  stretch: readonly number[],
  { requests, options }: { requests: readonly LoggedRequest[]; options: CrashOptions },
): readonly CrashState[] {
  const whole = stretch[0] ?? 0;
  return stretch.flatMap((last, position): readonly CrashState[] => {
    const pieces = Math.ceil((requests[last]?.sectors ?? 0) / options.atomicSectors);
    if (pieces < 2 || requests[last]?.data === undefined) return [];
    const tornSectors = (1 + Math.floor(options.random() * (pieces - 1))) * options.atomicSectors;
    const before = stretch.slice(0, position).filter(() => options.random() < 0.8);
    return [{ kind: 'torn', whole, also: [...before, last], tornSectors }];
  });
}

/** `count` of the items, the first and the last among them, evenly spread. */
function spread<T>(items: readonly T[], count: number): readonly T[] {
  if (count >= items.length) return items;
  return Array.from(
    { length: count },
    (_, index) => items[Math.round((index * (items.length - 1)) / Math.max(count - 1, 1))],
  ).filter((item) => item !== undefined);
}

/** `count` of the items at most, drawn by lot, in their order. */
function sample<T>(
  items: readonly T[],
  { count, random }: { readonly count: number; readonly random: () => number },
): readonly T[] {
  let wanted = Math.min(count, items.length);
  return items.filter((_, index) => {
    const isTaken = random() * (items.length - index) < wanted;
    if (isTaken) wanted -= 1;
    return isTaken;
  });
}
