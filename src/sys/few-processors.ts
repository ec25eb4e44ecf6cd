import { availableParallelism } from 'node:os';

/**
 * Whether two threads keep all processors busy: then what a third one takes over comes back later than it would be done here.
 * Waking it takes 20 to 100 µs in a virtual machine, whose other processor sleeps meanwhile.
 */
export function hasFewProcessors(): boolean {
  return availableParallelism() <= 2;
}
