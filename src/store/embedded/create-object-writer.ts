import { ObjectWriter } from '../object-writer.js';
import { embeddedNaming } from './object-naming.js';
import type { ThreadPlace } from './object-thread.js';
import { ObjectVariants } from './object-variants.js';

/** What makes the objects of one layer in the thread that it is called in. The descriptors stay the caller's. */
export function createObjectWriter(place: ThreadPlace): ObjectWriter {
  const variants = new ObjectVariants({ ...place, damaged: place.replace });
  return new ObjectWriter({
    ...place,
    naming: embeddedNaming(place.objectsFd),
    movesFolders: true,
    openVariant: (name, size) => variants.open(name, size),
  });
}
