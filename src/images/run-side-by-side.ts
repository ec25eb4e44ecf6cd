/** How {@link runSideBySide} goes about it. */
export interface SideBySideOptions {
  readonly signal: AbortSignal;
  /** How many at a time. */
  readonly parallel: number;
}

/** Runs `body` for each item, a few at a time. The first failure stops the rest and is what is thrown. */
export async function runSideBySide<Item>(
  items: readonly Item[],
  options: SideBySideOptions,
  body: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const queue = items.values();
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (const item of queue) {
      if (signal.aborted) return;
      try {
        await body(item, signal);
      } catch (error) {
        failures.push(error); // those that follow are the others stopping
        stop.abort(error);
      }
    }
  };
  const workers = Math.max(1, Math.min(options.parallel, items.length));
  await Promise.all(Array.from({ length: workers }, work));
  options.signal.throwIfAborted();
  if (failures.length > 0) throw failures[0];
}
