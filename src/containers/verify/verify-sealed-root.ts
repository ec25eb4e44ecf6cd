import { join } from 'node:path/posix';

import { readFileBounded } from '../../base/bounded-read.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import { LAUNCH_PLAN_FILE } from '../../runtime/built-in-runtime.js';
import { mountsSealedRoot } from '../../runtime/seal-plan.js';
import type { ImageTree } from '../../store/image-store.js';
import type { Deployment } from '../deployment.js';
import type { Host } from '../host.js';
import { checkSealedRoot, type SealedRoot } from '../sealed-root.js';
import { finding, type VerifyFinding } from './finding.js';
import { deploymentFolder } from './verify-files.js';

/** Largest launch plan that is read, as where the rest of it is checked. */
const MAX_PLAN_BYTES = 16 * 1024 * 1024;

/** Checks the sealed root of a deployment: its image, the objects that this names, and that the plan mounts it. */
export async function verifySealedRoot(
  host: Host,
  deployment: Deployment,
): Promise<VerifyFinding[]> {
  const { sealedRoot, name } = deployment;
  if (sealedRoot === undefined) return [];
  const folder = deploymentFolder(host, deployment);
  const found: VerifyFinding[] = [];
  const problem = await problemOfSealedRoot(host, deployment, sealedRoot);
  if (problem !== undefined) {
    const hint = "'berth fsck --repair' makes it again from what is in the store";
    const path = join(folder, sealedRoot.image);
    found.push(finding({ area: 'sealed-root', path, problem, hint }));
  }
  const path = join(folder, LAUNCH_PLAN_FILE);
  if (!(await isMounted(host.paths.onDisk(path), sealedRoot))) {
    found.push(
      finding({
        area: 'plan',
        path,
        problem: 'it mounts another root than the one that was sealed',
        hint: `'berth apply ${name}' makes it again from config.json`,
      }),
    );
  }
  return found;
}

/** What is wrong with the sealed root of a deployment, in words. */
export async function problemOfSealedRoot(
  host: Host,
  deployment: Deployment,
  record: SealedRoot,
): Promise<string | undefined> {
  const folder = host.paths.onDisk(deploymentFolder(host, deployment));
  return checkSealedRoot(host, { record, folder, tree: await imageTree(host, deployment) });
}

/** The tree of its image, where that is in the store and sound: what is wrong with it is said elsewhere. */
async function imageTree(host: Host, deployment: Deployment): Promise<ImageTree | undefined> {
  const store = await host.openStore({ prefer: deployment.storage });
  try {
    const image = await store.findImage(deployment.image.digest);
    return image === undefined ? undefined : await store.openTree(image);
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'STORE_INVALID') return undefined;
    throw error;
  }
}

/** A plan that is missing or damaged is a finding of its own. */
async function isMounted(path: string, record: SealedRoot): Promise<boolean> {
  try {
    const plan = await readFileBounded(path, { maxBytes: MAX_PLAN_BYTES });
    return mountsSealedRoot(plan, Buffer.from(record.digest, 'hex'));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    if (error instanceof OperationalError && error.code === 'CONTAINER_STATE_INVALID') return true;
    throw error;
  }
}
