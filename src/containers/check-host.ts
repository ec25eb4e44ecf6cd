import { OperationalError } from '../errors/operational-error.js';
import type { FsckProblem } from '../store/image-store.js';
import { KnownDigests } from '../store/known-digests.js';
import { readAllDeployments } from './all-deployments.js';
import type { Deployment } from './deployment.js';
import { isStillThere } from './deployment-records.js';
import type { Host } from './host.js';
import { assertPrivileged } from './preflight.js';
import { compareRoot } from './verify/verify-root.js';
import { problemOfSealedRoot } from './verify/verify-sealed-root.js';

/** Paths of one checkout that are named; the rest is counted. */
const MAX_NAMED_PATHS = 100;

/** A checkout that is not what its image is. */
export interface CheckoutProblem {
  /** `NAME.N`. */
  readonly directory: string;
  /** Where the whole of it cannot be compared: why. */
  readonly problem: string | undefined;
  /** Paths below its root that differ, with how; the first ones. */
  readonly paths: readonly string[];
  /** Of all of them. */
  readonly count: number;
}

/** What checking everything found. */
export interface HostCheck {
  readonly checkedObjects: number;
  readonly checkedDeployments: number;
  readonly problems: readonly FsckProblem[];
  readonly checkouts: readonly CheckoutProblem[];
}

/**
 * Reads everything of the store again and compares the root of every deployment with its image. Changes nothing.
 *
 * @throws OperationalError NEEDS_ROOT, CANCELLED
 */
export async function checkHost(host: Host): Promise<HostCheck> {
  assertPrivileged(host);
  const store = await host.openStore();
  const { checkedObjects, problems } = await store.fsck({ signal: host.signal });
  const { deployments, damaged } = await readAllDeployments(host);
  const checkouts: CheckoutProblem[] = damaged.map(({ directory, error }) => ({
    directory,
    problem: error instanceof Error ? error.message : String(error),
    paths: [],
    count: 0,
  }));
  const known = new KnownDigests();
  let gone = 0;
  for (const deployment of deployments) {
    if (deployment.rootfs !== 'checkout') continue;
    const found = await checkDeployment(host, deployment, known);
    // What another command was removing meanwhile is not damaged.
    if (found.length > 0 && !isStillThere(host.paths, deployment)) gone += 1;
    else checkouts.push(...found);
  }
  return {
    checkedObjects,
    checkedDeployments: deployments.length + damaged.length - gone,
    problems,
    checkouts,
  };
}

async function checkDeployment(
  host: Host,
  deployment: Deployment,
  known: KnownDigests,
): Promise<readonly CheckoutProblem[]> {
  const { name, number, sealedRoot } = deployment;
  const directory = `${name}.${number}`;
  try {
    const difference = await compareRoot(host, deployment, known);
    if (typeof difference === 'string')
      return [{ directory, problem: difference, paths: [], count: 0 }];
    const found: CheckoutProblem[] = [];
    const sealed = sealedRoot && (await problemOfSealedRoot(host, deployment, sealedRoot));
    if (sealed !== undefined)
      found.push({ directory, problem: `its sealed root: ${sealed}`, paths: [], count: 0 });
    const count = difference.added + difference.removed + difference.changed;
    if (count === 0) return found;
    const paths = difference.files
      .slice(0, MAX_NAMED_PATHS)
      .map(({ path, change, aspects }) => `${path} (${[change, ...aspects].join(', ')})`);
    return [...found, { directory, problem: undefined, paths, count }];
  } catch (error) {
    if (!(error instanceof OperationalError) || error.code === 'CANCELLED') throw error;
    return [{ directory, problem: error.message, paths: [], count: 0 }];
  }
}
