import { addressOf, linkAddresses } from '../../sys/link-bytes.js';

/*
 * Links as they go to another thread: names in memory that both see, and three numbers for each link.
 */

/** Links of objects. */
export interface LinkBatch {
  readonly objectsFd: number;
  /** Names, each with a NUL at its end. */
  readonly bytes: SharedArrayBuffer;
  /** For each link: the directory that it is made in, where the object's name begins, where its own does. */
  readonly steps: Float64Array;
}

/** Of a link. */
export const LINK_NUMBERS = 3;

/** Makes the links of a batch; how many, up to the first that cannot be made. */
export function makeLinks({ objectsFd, bytes, steps }: LinkBatch): number {
  const base = addressOf(new Uint8Array(bytes));
  let made = 0;
  for (let at = 0; at < steps.length; at += LINK_NUMBERS) {
    const [dirFd = -1, objectAt = 0, nameAt = 0] = [steps[at], steps[at + 1], steps[at + 2]];
    const from = { dirFd: objectsFd, address: base + objectAt };
    if (!linkAddresses(from, { dirFd, address: base + nameAt })) break;
    made += 1;
  }
  return made;
}
