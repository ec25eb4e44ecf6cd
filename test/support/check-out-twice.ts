import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';

import type { ImageStore, StoredImage } from '../../src/store/image-store.js';
import { withTwins } from './list-tree.js';

/**
 * Checks an image out from a store, which may just have taken it in, and from the same store opened anew, which has its records
 * alone; both have to come to the same. Gives the new directory in `directory`, in which the store is `store`.
 */
export async function checkOutTwice(what: {
  readonly store: ImageStore;
  readonly open: (directory: string) => ImageStore;
  readonly image: StoredImage;
  readonly directory: string;
}): Promise<string> {
  const { store, image, directory } = what;
  const out = `${directory}/out-${Math.random().toString(36).slice(2)}`;
  await checkOut(store, image, out);
  await using again = what.open(`${directory}/store`);
  await checkOut(again, image, `${out}-again`);
  assert.deepEqual(withTwins(`${out}-again`), withTwins(out));
  return out;
}

async function checkOut(store: ImageStore, image: StoredImage, to: string): Promise<void> {
  mkdirSync(to, { mode: 0o700 });
  await store.checkout(await store.openTree(image), to, { devices: true });
}
