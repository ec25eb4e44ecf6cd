import { writeFileSync } from 'node:fs';

/**
 * Keeps this process's memory out of core dumps from now on (core(5), "Controlling which mappings are written"): a password that
 * was read once stays in the heap for as long as the engine likes, and dumps are sent around. What is left is a dump of the
 * registers. Programs that are started later have the same.
 */
export function forbidCoreDumps(): void {
  try {
    writeFileSync('/proc/self/coredump_filter', '0');
  } catch {
    // without /proc, or where it may not be written, there is no other way that needs no library
  }
}
