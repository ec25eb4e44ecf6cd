import { getContainer, loadDeployment } from './container-directory.js';
import { readSettings, type RejectedImage } from './container-settings.js';
import { orderDeployments } from './deployment-order.js';
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
  for (const number of [current.number, ...others]) {
    try {
      const { image, createdAt } = await loadDeployment(host.paths, `${name}.${number}`);
      deployments.push({
        number,
        reference: image.reference,
        digest: image.digest,
        createdAt,
        isCurrent: number === current.number,
        isPrevious: number === others[0],
        isPinned: settings.pinned.includes(number),
        rejected: settings.rejected.find(({ digest }) => digest === image.digest)?.reason,
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
    deployments,
    rejected: settings.rejected.filter(({ digest }) => !shown.has(digest)),
  };
}
