import { join } from 'node:path/posix';

import { describeErrno } from '../errors/describe-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { withContext } from '../errors/with-context.js';
import type { PullProgress } from '../images/execute-pull.js';
import { refetchDocuments, refetchLayer } from '../images/refetch-image.js';
import { parseDigest, type Digest } from '../oci/digest.js';
import { partsOf } from '../store/combined-store.js';
import type {
  FsckProblem,
  ImageStore,
  ImageTree,
  NewImage,
  StoredImage,
} from '../store/image-store.js';
import type { ImageSource } from '../transport/image-source.js';
import { readAllDeployments } from './all-deployments.js';
import { checkHost, type HostCheck } from './check-host.js';
import { isStillThere } from './deployment-records.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { withNameLock } from './name-lock.js';
import { assertPrivileged } from './preflight.js';
import { findLostLayers, layerBytes, placesOfImage, type KnownImage } from './repair-sources.js';
import { checkSealedRoot, renewSealedRoot } from './sealed-root.js';

/** What repairing came to. */
export interface HostRepair {
  /** What was found before anything was done. */
  readonly found: HostCheck;
  /** Layers that were fetched again. */
  readonly fetched: readonly Digest[];
  /** Bytes that were fetched for it. */
  readonly fetchedBytes: number;
  /** Files of checkouts that were made anew: `NAME.N/PATH`. */
  readonly mended: readonly string[];
  /** What is wrong still. */
  readonly left: HostCheck;
  /** Why some of it could not be repaired, as far as is known. */
  readonly reasons: readonly string[];
}

/**
 * Checks everything, and puts right what can be: damaged or missing objects and records come from where their image came
 * from, and no more is fetched than the layers that have them; what is sound stays as it is. Then checkouts that lost
 * something, or share a damaged file, get the sound one: each file in one step, while their services run. Never leaves
 * things worse: nothing is removed before what replaces it is there.
 *
 * @throws OperationalError NEEDS_ROOT, CANCELLED, DISK_FULL
 */
export async function repairHost(
  host: Host,
  options: { readonly onProgress: (progress: PullProgress) => void },
): Promise<HostRepair> {
  assertPrivileged(host);
  const found = await checkHost(host);
  const repairs: StoreRepair[] = [];
  const parts = partsOf(await host.openStore());
  for (const store of parts) {
    const repair = new StoreRepair(host, store, options.onProgress);
    repairs.push(repair);
    const own = parts.length === 1 ? found : await store.fsck({ signal: host.signal });
    await repair.run(own.problems);
  }
  const reasons = repairs.flatMap((repair) => repair.reasons);
  const mended = await mendCheckouts(host, found, reasons);
  const isSound = found.problems.length + found.checkouts.length === 0;
  return {
    found,
    fetched: repairs.flatMap(({ fetched }) => fetched),
    fetchedBytes: repairs.reduce((sum, { fetchedBytes }) => sum + fetchedBytes, 0),
    mended,
    left: isSound ? found : await checkHost(host),
    reasons: [...new Set(reasons)],
  };
}

/** What is damaged may hide something else that is: a record, the objects that it names. */
const MAX_ROUNDS = 3;

class StoreRepair {
  readonly fetched: Digest[] = [];
  readonly reasons: string[] = [];
  fetchedBytes = 0;
  readonly #host: Host;
  readonly #store: ImageStore;
  readonly #onProgress: (progress: PullProgress) => void;
  #deployments: readonly Deployment[] = [];

  constructor(host: Host, store: ImageStore, onProgress: (progress: PullProgress) => void) {
    this.#host = host;
    this.#store = store;
    this.#onProgress = onProgress;
  }

  async run(found: readonly FsckProblem[]): Promise<void> {
    let problems = found;
    for (let round = 0; round < MAX_ROUNDS && problems.length > 0; round += 1) {
      this.#deployments = (await readAllDeployments(this.#host)).deployments;
      const renewed = await this.#refetchDocuments(problems);
      const images: KnownImage[] = [...(await this.#store.listImages()), ...renewed];
      await this.#refetchLayers(problems, images);
      for (const image of renewed) await this.#attempt(() => this.#store.addImage(image));
      // What was damaged hid what else is.
      const { problems: left } = await this.#store.fsck({ signal: this.#host.signal });
      const isStuck = JSON.stringify(left) === JSON.stringify(problems);
      problems = left;
      if (isStuck) break;
    }
    await this.#discard(problems);
    if (found.some(({ kind }) => kind === 'name')) await this.#nameAgain();
  }

  /** While a layer cannot be read, nobody can say which objects nobody needs. */
  async #discard(problems: readonly FsckProblem[]): Promise<void> {
    const isKnown = problems.every(({ kind }) => kind !== 'layer');
    for (const problem of problems)
      if (problem.kind === 'name' || isKnown) await this.#store.discard(problem);
  }

  /** Manifests and configurations that are missing or damaged. */
  async #refetchDocuments(problems: readonly FsckProblem[]): Promise<NewImage[]> {
    const wanted = new Map<string, Set<string>>();
    for (const { kind, id, layers, names } of problems) {
      if (kind !== 'image' || layers.length > 0) continue;
      wanted.set(id, new Set([...(wanted.get(id) ?? []), ...names]));
    }
    const renewed: NewImage[] = [];
    for (const [id, names] of wanted) {
      const digest = parseDigest(id);
      const documents = await this.#fromSource({ digest, names: [...names] }, (source) =>
        this.#refetch(source, digest),
      );
      if (documents !== undefined) renewed.push({ ...documents, names: [...names] });
    }
    return renewed;
  }

  async #refetch(source: ImageSource, digest: Digest): Promise<Omit<NewImage, 'names'>> {
    const { signal } = this.#host;
    return await refetchDocuments(source, digest, { trust: await this.#host.openTrust(), signal });
  }

  /** The layers whose records are gone, and for each damaged object one that has it: one layer often mends several. */
  async #refetchLayers(
    problems: readonly FsckProblem[],
    images: readonly KnownImage[],
  ): Promise<void> {
    const damaged = problems.filter(({ kind }) => kind === 'object');
    // All of them: which layers have them is not known of layers whose records are lost.
    const replace = new Set(damaged.map(({ id }) => id));
    for (const diffId of await findLostLayers(this.#store, problems, images))
      await this.#refetchLayer(diffId, { images, replace });
    for (const { layers } of damaged) {
      if (layers.some((diffId) => this.fetched.includes(diffId))) continue; // it came with that
      for (const diffId of layers) if (await this.#refetchLayer(diffId, { images, replace })) break;
    }
  }

  async #refetchLayer(
    diffId: Digest,
    from: { readonly images: readonly KnownImage[]; readonly replace: ReadonlySet<string> },
  ): Promise<boolean> {
    const images = from.images.filter(({ config }) => config.diffIds.includes(diffId));
    for (const image of images) {
      const done = await this.#fromSource(image, async (source) => {
        await refetchLayer(image, diffId, {
          store: this.#store,
          source,
          signal: this.#host.signal,
          onProgress: this.#onProgress,
          replace: from.replace,
        });
        return true;
      });
      if (done !== true) continue;
      this.fetched.push(diffId);
      this.fetchedBytes += layerBytes(image, diffId);
      return true;
    }
    // A layer that no image has needs no repair: prune takes it away.
    return false;
  }

  /** Asks the places where an image may have come from, one after the other. */
  async #fromSource<T>(
    image: { readonly digest: Digest; readonly names: readonly string[] },
    body: (source: ImageSource) => Promise<T>,
  ): Promise<T | undefined> {
    const references = placesOfImage(image, this.#deployments);
    if (references.length === 0)
      this.reasons.push(`${image.digest} has no name: nobody can say where it came from`);
    for (const reference of references) {
      const result = await this.#attempt(async () => {
        await using source = await this.#host.openSource(reference, { preferStored: true });
        return await body(source);
      });
      if (result !== undefined) return result;
    }
    return undefined;
  }

  /** What a place cannot give, another may. A full disk, and an interruption, end it all. */
  async #attempt<T>(body: () => Promise<T>): Promise<T | undefined> {
    try {
      return await body();
    } catch (error) {
      const ends = !(error instanceof OperationalError) || error.code === 'DISK_FULL';
      if (ends || this.#host.signal.aborted) throw error;
      this.reasons.push(reasonOf(error));
      return undefined;
    }
  }

  /** A damaged name says nothing any more, but the deployments know under which name their images were filed. */
  async #nameAgain(): Promise<void> {
    for (const { image } of this.#deployments) {
      const stored = await this.#store.findImage(image.digest);
      if (stored === undefined || (await this.#store.findImage(image.storeName)) !== undefined)
        continue;
      await this.#attempt(() => this.#store.addName(image.storeName, stored.digest));
    }
  }
}

async function mendCheckouts(
  host: Host,
  found: HostCheck,
  reasons: string[],
): Promise<readonly string[]> {
  const mended: string[] = [];
  const { deployments } = await readAllDeployments(host);
  for (const directory of new Set(found.checkouts.map((checkout) => checkout.directory))) {
    const deployment = deployments.find(({ name, number }) => `${name}.${number}` === directory);
    if (deployment === undefined) continue;
    try {
      const store = await host.openStore({ prefer: deployment.storage });
      const image = await store.findImage(deployment.image.digest);
      if (image === undefined) continue;
      const paths = await withContext('its files cannot be mended', () =>
        mendOne(host, { store, image, deployment }),
      );
      mended.push(...paths.map((path) => `${directory}${path}`));
    } catch (error) {
      const ends = !(error instanceof OperationalError) || error.code === 'DISK_FULL';
      if (ends || host.signal.aborted) throw error;
      reasons.push(`${directory}: ${reasonOf(error)}`);
    }
  }
  return mended;
}

async function mendOne(
  host: Host,
  from: {
    readonly store: ImageStore;
    readonly image: StoredImage;
    readonly deployment: Deployment;
  },
): Promise<readonly string[]> {
  const { store, image, deployment } = from;
  const { name, number } = deployment;
  const rootfs = host.paths.onDisk(join(host.paths.stateDir, `${name}.${number}`, 'rootfs'));
  return withNameLock(host, name, async () => {
    // It may have been uninstalled while nobody held its name.
    if (!isStillThere(host.paths, deployment)) return [];
    const tree = await store.openTree(image);
    const { mended } = await store.mendCheckout(tree, rootfs, { signal: host.signal });
    return [...mended, ...(await mendSealedRoot(host, deployment, tree))];
  });
}

/** Makes the image of a sealed root again where something is wrong with it; it comes to the same bytes. */
async function mendSealedRoot(
  host: Host,
  deployment: Deployment,
  tree: ImageTree,
): Promise<readonly string[]> {
  const { name, number, sealedRoot } = deployment;
  if (sealedRoot === undefined) return [];
  const folder = host.paths.onDisk(join(host.paths.stateDir, `${name}.${number}`));
  if ((await checkSealedRoot(host, { record: sealedRoot, folder, tree })) === undefined) return [];
  return (await renewSealedRoot(host, { record: sealedRoot, folder, tree }))
    ? [`/${sealedRoot.image}`]
    : [];
}

/** The innermost reason: what is around it says what was being done, and that is known. */
function reasonOf(error: Error): string {
  const { cause } = error;
  const below = cause instanceof Error ? `: ${describeErrno(cause)?.message ?? cause.message}` : '';
  return `${error.message}${below}`;
}
