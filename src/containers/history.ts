import { compareValues, valuesOf, type ValueDifference } from './compare-values.js';
import { getContainer, loadDeployment } from './container-directory.js';
import { readSettings, type RejectedImage } from './container-settings.js';
import { orderDeployments } from './deployment-order.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import type { DeploymentInBrief } from './update-outcome.js';

/** A deployment of a container's past, or the present one. */
export interface HistoryEntry extends DeploymentInBrief {
  /** RFC 3339. */
  readonly createdAt: string;
  readonly isCurrent: boolean;
  /** Whether `rollback` goes there. */
  readonly isPrevious: boolean;
  readonly isPinned: boolean;
  /** Why its image is not updated to by itself; undefined where it would be. */
  readonly rejected: string | undefined;
  /** Values that were others in the deployment that follows in the list; empty for the last one. Secret ones are masked, or left out. */
  readonly values: readonly ValueDifference[];
}

/** What a container was and is. */
export interface History {
  readonly name: string;
  /** The present one first, then in the order in which they were it. */
  readonly deployments: readonly HistoryEntry[];
  /** Images that were tried and have no deployment any more. */
  readonly rejected: readonly RejectedImage[];
}

/**
 * The deployments of a container that are on disk. Takes no lock; a deployment that is not readable is left out with a
 * warning.
 *
 * @throws OperationalError CONTAINER_NOT_FOUND
 */
export async function getHistory(host: Host, name: string): Promise<History> {
  const current = await getContainer(host.paths, name);
  const settings = await readSettings(host.paths, name);
  const others = (await orderDeployments(host, name, settings))
    .filter((number) => number !== current.number)
    .reverse();
  const deployments: HistoryEntry[] = [];
  const loaded: Deployment[] = [];
  for (const number of [current.number, ...others]) {
    try {
      const deployment = await loadDeployment(host.paths, `${name}.${number}`);
      loaded.push(deployment);
      const { image, createdAt } = deployment;
      deployments.push({
        number,
        reference: image.reference,
        digest: image.digest,
        createdAt,
        isCurrent: number === current.number,
        isPrevious: number === others[0],
        isPinned: settings.pinned.includes(number),
        rejected: settings.rejected.find(({ digest }) => digest === image.digest)?.reason,
        values: [],
      });
    } catch (error) {
      host.onEvent({
        kind: 'warning',
        text: `${name}.${number}: ${error instanceof Error ? error.message : String(error)}`,
      });
    }
  }
  const shown = new Set(deployments.map(({ digest }) => digest));
  return {
    name,
    deployments: deployments.map((entry, index) => ({
      ...entry,
      values: changedValues(loaded[index + 1], loaded[index]),
    })),
    rejected: settings.rejected.filter(({ digest }) => !shown.has(digest)),
  };
}

function changedValues(
  before: Deployment | undefined,
  after: Deployment | undefined,
): readonly ValueDifference[] {
  if (before === undefined || after === undefined) return [];
  const secrets = new Set([...before.secrets, ...after.secrets]);
  return compareValues(valuesOf(before), valuesOf(after), secrets);
}
