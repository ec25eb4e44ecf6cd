import type { Digest } from '../../src/oci/digest.js';
import type { ImageStore, StoredImage } from '../../src/store/image-store.js';
import { checkOutTwice } from '../support/check-out-twice.js';
import { storeLayer } from '../support/feed-layer.js';
import { storedImageOf } from '../support/stored-image.js';
import type { TarItem } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';

/** What the suite needs of a back end. */
export interface StoreKind {
  readonly name: string;
  /** Opens the store in a folder, which may not exist yet. */
  open(directory: string): ImageStore;
  /** Whether times of modification are kept; otherwise everything is of the epoch. */
  readonly keepsTimes: boolean;
  /** What somebody else finds in the folder of a store when a test is over and the store closed. */
  readonly inspect?: (directory: string) => Promise<void>;
}

/** The title of a test of that kind of store. */
export function titleOf(kind: StoreKind, what: string): string {
  return `${kind.name} store: ${what}`;
}

/** Runs `body` with a store in a folder of its own, beside which there is room; `parent` is where that is made. */
export async function withStore(
  kind: StoreKind,
  body: (store: ImageStore, directory: string) => Promise<void>,
  parent?: string,
): Promise<void> {
  using dir = new TempDir(parent);
  {
    await using store = kind.open(`${dir.path}/store`);
    await body(store, dir.path);
  }
  await kind.inspect?.(`${dir.path}/store`);
}

/** Puts an image of these layers into a store. */
export async function addLayers(
  store: ImageStore,
  layers: readonly (readonly TarItem[])[],
  names: readonly string[] = ['image'],
): Promise<StoredImage> {
  const diffIds: Digest[] = [];
  for (const layer of layers) diffIds.push(await storeLayer(store, layer));
  return store.addImage(storedImageOf(diffIds, names));
}

/** Where an image is checked out, by this opening of the store and by another one alike. */
export function checkedOut(
  kind: StoreKind,
  from: { readonly store: ImageStore; readonly image: StoredImage; readonly directory: string },
): Promise<string> {
  return checkOutTwice({ ...from, open: (place) => kind.open(place) });
}
