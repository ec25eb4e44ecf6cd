import { createHash } from 'node:crypto';
import { resolve } from 'node:path';

import type { StoredImage } from '../../store/image-store.js';
import type { Deployment } from '../deployment.js';
import { findDeployment, noSuchThing } from '../difference-sides.js';
import { findStoredImage } from '../find-stored-image.js';
import type { Host } from '../host.js';
import { listImages } from '../list-images.js';
import { readDeployments } from '../list-containers.js';
import { assertRootFolder } from '../preflight.js';

/** One root to scan. */
export interface ScanTarget {
  readonly kind: 'image' | 'container' | 'rootfs';
  /** What to mount: the digest of an image, `NAME.N`, or a path. */
  readonly what: string;
  /** What a person calls it. */
  readonly name: string;
  /** Name of its folder below `/scanin` and `/scanout`. */
  readonly directory: string;
}

/** What is to be scanned, as the command line says it. */
export interface ScanRequest {
  readonly names: readonly string[];
  readonly images: boolean;
  readonly containers: boolean;
  readonly rootfs: readonly string[];
}

/**
 * Finds what is to be scanned, each root once.
 *
 * @throws {@link OperationalError} CONTAINER_NOT_FOUND for a name of nothing; USAGE for a path that is no folder
 */
export async function findScanTargets(
  host: Host,
  request: ScanRequest,
): Promise<readonly ScanTarget[]> {
  const targets: ScanTarget[] = [];
  for (const path of request.rootfs) {
    const whole = resolve(path);
    await assertRootFolder(host, whole);
    const digest = createHash('sha256').update(whole).digest('hex');
    const directory = `rootfs-${digest.slice(0, 16)}`;
    targets.push({ kind: 'rootfs', what: whole, name: whole, directory });
  }
  for (const name of request.names) {
    const deployment = await findDeployment(host, name);
    const image = deployment === undefined ? await findStoredImage(host, name) : undefined;
    if (deployment !== undefined) targets.push(ofDeployment(deployment));
    else if (image !== undefined) targets.push(ofImage(image, name));
    else throw await noSuchThing(host, name);
  }
  if (request.images)
    for (const { image } of await listImages(host))
      targets.push(ofImage(image, image.names[0] ?? image.digest));
  if (request.containers)
    for (const deployment of (await readDeployments(host)).deployments)
      targets.push(ofDeployment(deployment));
  const seen = new Set<string>();
  return targets.filter(({ directory }) => !seen.has(directory) && seen.add(directory));
}

function ofImage(image: StoredImage, name: string): ScanTarget {
  const directory = image.digest.slice(image.digest.indexOf(':') + 1);
  return { kind: 'image', what: image.digest, name, directory };
}

function ofDeployment({ name, number }: Pick<Deployment, 'name' | 'number'>): ScanTarget {
  const what = `${name}.${number}`;
  return { kind: 'container', what, name, directory: what };
}
