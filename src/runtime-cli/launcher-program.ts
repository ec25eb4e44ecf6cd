import { closeSync } from 'node:fs';

import { sealedCopy } from '../sys/sealed-copy.js';

/** By this name the launcher knows that what runs is sealed (launcher/main.c). */
const SEALED_NAME = 'berth-launch';

/** How the launcher is to be run: to be disposed of once it is. */
export interface LauncherProgram extends Disposable {
  readonly file: string;
  readonly argv0: string;
  /** Descriptors that it has to be given after all others. */
  readonly descriptors: readonly number[];
}

/**
 * The launcher, or a copy of it that nobody can change, for callers whose launcher cannot see to that itself. `count` is
 * how many descriptors it gets before.
 */
export function launcherProgram(
  { launcher, sealed }: { readonly launcher: string; readonly sealed?: boolean },
  count: number,
): LauncherProgram {
  if (sealed !== true) {
    return {
      file: launcher,
      argv0: launcher,
      descriptors: [],
      [Symbol.dispose]: () => undefined,
    };
  }
  const copy = sealedCopy(launcher);
  return {
    // As it has it itself: ours may be the number of another one by then.
    file: `/proc/self/fd/${count}`,
    argv0: SEALED_NAME,
    descriptors: [copy],
    [Symbol.dispose]: () => {
      closeSync(copy);
    },
  };
}
