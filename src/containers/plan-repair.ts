import { parseDigest, type Digest } from '../oci/digest.js';
import { partsOf } from '../store/combined-store.js';
import type { FsckProblem, ImageStore } from '../store/image-store.js';
import { readAllDeployments } from './all-deployments.js';
import { checkHost, type HostCheck } from './check-host.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { findLostLayers, layerBytes, placesOfImage, type KnownImage } from './repair-sources.js';

/** What repairing will do, as far as that is known before anything is fetched. */
export interface HostRepairPlan {
  readonly found: HostCheck;
  /** Images whose manifest and configuration are fetched again; what layers of these are missing is known when they are there. */
  readonly documents: readonly RefetchedImage[];
  readonly layers: readonly RefetchedLayer[];
  /** Deployments whose roots get sound files: `NAME.N`. */
  readonly checkouts: readonly string[];
}

/** An image of a {@link HostRepairPlan}. */
export interface RefetchedImage {
  readonly digest: Digest;
  /** References that are asked, one after the other; empty where nobody can say where it came from. */
  readonly from: readonly string[];
}

/** A layer of a {@link HostRepairPlan}. */
export interface RefetchedLayer {
  readonly diffId: Digest;
  /** To download. */
  readonly bytes: number;
  /** References that are asked, one after the other; empty where nobody can say where it came from. */
  readonly from: readonly string[];
}

/**
 * Checks everything, and says what a repair would fetch and mend. Changes nothing and asks no registry.
 *
 * @throws OperationalError NEEDS_ROOT, CANCELLED
 */
export async function planRepair(host: Host): Promise<HostRepairPlan> {
  const found = await checkHost(host);
  const { deployments } = await readAllDeployments(host);
  const parts = partsOf(await host.openStore());
  const documents: RefetchedImage[] = [];
  const layers: RefetchedLayer[] = [];
  for (const store of parts) {
    const { problems } = parts.length === 1 ? found : await store.fsck({ signal: host.signal });
    documents.push(...planDocuments(problems, deployments));
    layers.push(...(await planLayers(store, problems, deployments)));
  }
  const known = new Set(deployments.map(({ name, number }) => `${name}.${number}`));
  const directories = new Set(found.checkouts.map(({ directory }) => directory));
  const checkouts = [...directories].filter((directory) => known.has(directory));
  return { found, documents, layers, checkouts };
}

function planDocuments(
  problems: readonly FsckProblem[],
  deployments: readonly Deployment[],
): readonly RefetchedImage[] {
  return problems
    .filter(({ kind, layers }) => kind === 'image' && layers.length === 0)
    .map(({ id, names }) => {
      const digest = parseDigest(id);
      return { digest, from: placesOfImage({ digest, names }, deployments) };
    });
}

async function planLayers(
  store: ImageStore,
  problems: readonly FsckProblem[],
  deployments: readonly Deployment[],
): Promise<readonly RefetchedLayer[]> {
  const images: readonly KnownImage[] = await store.listImages();
  const imagesWith = (diffId: Digest): readonly KnownImage[] =>
    images.filter(({ config }) => config.diffIds.includes(diffId));
  const wanted = new Set(await findLostLayers(store, problems, images));
  for (const { kind, layers } of problems) {
    if (kind !== 'object' || layers.some((diffId) => wanted.has(diffId))) continue;
    // One that has it is enough.
    const first = layers.find((diffId) => imagesWith(diffId).length > 0);
    if (first !== undefined) wanted.add(first);
  }
  return [...wanted].flatMap((diffId) => {
    const having = imagesWith(diffId);
    const [image] = having;
    // A layer that no image has needs no repair: prune takes it away.
    if (image === undefined) return [];
    const from = new Set(having.flatMap((one) => placesOfImage(one, deployments)));
    return { diffId, bytes: layerBytes(image, diffId), from: [...from] };
  });
}
