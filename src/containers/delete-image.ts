import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Digest } from '../oci/digest.js';
import { partsOf } from '../store/combined-store.js';
import type { PruneResult, StoredImage } from '../store/image-store.js';
import { findStoredImage, noSuchImage } from './find-stored-image.js';
import type { Host } from './host.js';
import { imagesInUse } from './images-in-use.js';
import { listImages } from './list-images.js';
import { assertPrivileged } from './preflight.js';
import { pruneSignatures } from './prune-signatures.js';

/** What deleting came to. */
export interface DeletedImage {
  readonly digest: Digest;
  /** Names that went. */
  readonly names: readonly string[];
  /** What was removed with the last name; undefined where the image has other names still. */
  readonly removed: PruneResult | undefined;
}

/** What deleting will do; made without changing anything. */
export interface DeletePlan {
  readonly digest: Digest;
  /** Names that will go. */
  readonly names: readonly string[];
  /** Whether the image goes with them; false where it has other names still. */
  readonly removes: boolean;
  /** At most so much is freed then: other images may have the same files. */
  readonly contentBytes: number;
}

/**
 * What {@link deleteImage} would do once what is planned already was done.
 *
 * @throws {@link OperationalError} as {@link deleteImage}
 */
export async function planDelete(
  anyHost: Host,
  text: string,
  before: readonly DeletePlan[],
): Promise<DeletePlan> {
  const { image, name } = await findToDelete(anyHost, text, before);
  const { digest, names } = image;
  return name === undefined
    ? { digest, names, removes: true, contentBytes: image.contentBytes }
    : { digest, names: [name], removes: false, contentBytes: 0 };
}

/**
 * Deletes an image of the store. By a name, only that name goes while the image has others; by its last name, its digest or
 * the start of that, the image goes with everything that no other image has.
 *
 * @throws {@link OperationalError} IMAGE_NOT_FOUND; IMAGE_IN_USE naming who uses it; USAGE if several stores have it
 */
export async function deleteImage(anyHost: Host, text: string): Promise<DeletedImage> {
  const { host, image, name } = await findToDelete(anyHost, text);
  const { digest } = image;
  const store = await host.openStore();
  if (name !== undefined) {
    await store.removeName(name);
    return { digest, names: [name], removed: undefined };
  }
  // Only this one: others without names stay until they are pruned.
  const others = (await store.listImages()).filter((other) => other.digest !== digest);
  const removed = await store.prune({
    keep: async () =>
      new Set([...(await imagesInUse(host, store.kind)), ...others.map((one) => one.digest)]),
    unname: (one) => one.digest === digest,
  });
  if ((await store.findImage(digest)) !== undefined) await assertUnused(host, image, text);
  await pruneSignatures(anyHost);
  return { digest, names: image.names, removed };
}

interface ToDelete {
  /** With the store alone that has the image. */
  readonly host: Host;
  readonly image: StoredImage;
  /** The one name that goes; undefined where the image itself does. */
  readonly name: string | undefined;
}

async function findToDelete(
  anyHost: Host,
  text: string,
  before: readonly DeletePlan[] = [],
): Promise<ToDelete> {
  assertPrivileged(anyHost);
  const host = await withItsStore(anyHost, text);
  const stored = await findStoredImage(host, text);
  const named = stored === undefined ? undefined : await nameMeant(host, stored, text);
  const image = stored === undefined ? undefined : whatIsLeft(stored, before);
  const isGone = named !== undefined && image?.names.includes(named) === false;
  if (image === undefined || isGone) throw await noSuchImage(host, text);
  if (named !== undefined && image.names.length > 1) return { host, image, name: named };
  await assertUnused(host, image, text);
  return { host, image, name: undefined };
}

/** An image without the names that are to go before; undefined where it is to go itself. */
function whatIsLeft(image: StoredImage, before: readonly DeletePlan[]): StoredImage | undefined {
  const own = before.filter(({ digest }) => digest === image.digest);
  if (own.some(({ removes }) => removes)) return undefined;
  const gone = own.flatMap(({ names }) => names);
  return { ...image, names: image.names.filter((name) => !gone.includes(name)) };
}

/** The host with the store alone that has the image. */
async function withItsStore(host: Host, text: string): Promise<Host> {
  const having: Host[] = [];
  for (const store of partsOf(await host.openStore())) {
    const own = { ...host, openStore: () => Promise.resolve(store) };
    if ((await findStoredImage(own, text)) !== undefined) having.push(own);
  }
  if (having.length > 1) {
    throw new OperationalError('USAGE', `the image ${quote(text)} is in several stores`, {
      hint: '--storage says which one',
    });
  }
  return having[0] ?? host;
}

/** The name by which it was called; undefined for a digest. */
async function nameMeant(
  host: Host,
  image: StoredImage,
  text: string,
): Promise<string | undefined> {
  if (image.names.includes(text)) return text;
  const store = await host.openStore();
  if ((await store.findImage(text))?.digest === image.digest) return undefined;
  await using source = await host.openSource(text, { preferStored: true });
  return image.names.find((name) => name === source.storeName);
}

async function assertUnused(host: Host, image: StoredImage, text: string): Promise<void> {
  const listed = (await listImages(host)).find(
    (one) => one.image.digest === image.digest && one.image.storage === image.storage,
  );
  const users = listed?.usedBy ?? [];
  if (users.length === 0 && !(await imagesInUse(host, image.storage)).has(image.digest)) return;
  const who = users.length === 0 ? 'a change that is under way' : users.map(quote).join(', ');
  throw new OperationalError(
    'IMAGE_IN_USE',
    `refusing to delete the image ${quote(text)}: ${who} ${users.length > 1 ? 'were' : 'was'} made of it`,
    { hint: "uninstall what uses it; 'NAME.N' goes with later updates of NAME" },
  );
}
