/**
 * What `body` makes of each item, in the order of the items, so many of them at once: where each waits for somebody else most of
 * the time. Ends with the first failure, once all that has begun has ended.
 */
export async function mapAtOnce<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  body: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  const left = items.entries();
  let failed = false;
  const work = async (): Promise<void> => {
    // All take from one list, so that what takes long holds nobody up.
    for (const [index, item] of left) {
      if (failed) return;
      try {
        results[index] = await body(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const workers = Array.from({ length: Math.min(atOnce, items.length) }, work);
  await Promise.allSettled(workers);
  await Promise.all(workers);
  return results;
}
