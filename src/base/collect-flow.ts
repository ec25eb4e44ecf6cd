import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { isKnownEngine } from './engine-flags.js';

/**
 * How many bytes flow between two collections. Pulling a layer of 250 MB (gzip, from a registry) took 94 MB at most on Node 20 and
 * 111 MB on Node 24 when this was chosen; every 4 MB it was 104 and 118 MB, and every 1 MB more, too, as what is still in use is taken
 * for long-lived.
 */
const BYTES_BETWEEN = 2_000_000;

type CollectYoung = (options: { readonly type: 'minor' }) => void;

let collectYoung: CollectYoung | false | undefined;
let bytesSince = 0;

/**
 * Says that so many bytes went through, in buffers that nobody holds any more. Their memory is outside the heap, and is freed when the
 * few objects that stand for them are: the engine sees these alone, finds little to collect and lets 60 to 100 MB of dead buffers
 * gather (155 MB in all on Node 24). Collecting the young objects takes a third of a millisecond, and less time in all: memory that
 * was used a moment ago need not be asked of the kernel again (0.85 s of processor in place of 1.14 s for those 250 MB from a disk).
 *
 * One count for the whole process, as there is one heap.
 */
export function noteFlow(bytes: number): void {
  bytesSince += bytes;
  if (bytesSince < BYTES_BETWEEN) return;
  bytesSince = 0;
  collectYoung ??= findCollector();
  if (collectYoung !== false) collectYoung({ type: 'minor' });
}

/** The engine shows its collector to contexts that are made after it was told to. */
function findCollector(): CollectYoung | false {
  if (!isKnownEngine()) return false;
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return typeof found === 'function' ? (found as CollectYoung) : false;
}
