/** Numbers that look random and are the same for the same seed, so that what was found can be found again. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** At least 0, below 1 (the generator is Mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number, at least 0, below `bound`. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** `count` of the items at most, in their order. */
  sample<T>(items: readonly T[], count: number): readonly T[] {
    let wanted = Math.min(count, items.length);
    return items.filter((_, index) => {
      const isTaken = this.below(items.length - index) < wanted;
      if (isTaken) wanted -= 1;
      return isTaken;
    });
  }
}
