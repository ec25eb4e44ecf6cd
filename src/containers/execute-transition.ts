import { AsyncScope } from '../base/scope.js';
import { beginChange } from './begin-change.js';
import { buildDeployment, type DeploymentToBuild } from './build-deployment.js';
import { completeTransition, type CompletedTransition } from './complete-transition.js';
import type { Host } from './host.js';
import type { JournalEntry } from './journal.js';
import { placeLauncher } from './place-launcher.js';
import type { PreparedDeployment } from './prepared-deployment.js';
import { takeBackAfter } from './take-back.js';

/** A deployment to build, and the launcher that its unit runs. */
export type DeploymentToPlace = DeploymentToBuild & Pick<PreparedDeployment, 'launcher'>;

/**
 * Carries out what an entry says: all of its transitions, or none. The journal comes first; then new deployments are
 * built beside, where nothing refers to them; then the host is switched over. A failure at any step takes everything
 * back; a kill at any step leaves what the next command on the name finishes or takes back.
 */
export async function executeTransition(
  host: Host,
  change: JournalEntry,
  prepared: readonly DeploymentToPlace[],
): Promise<CompletedTransition> {
  const entry = await beginChange(host, change);
  try {
    await buildAll(host, prepared);
    return await completeTransition(host, entry);
  } catch (error) {
    await takeBackAfter(host, entry, error);
    throw error;
  }
}

/** A launcher is held until a deployment refers to it, and no longer: taking back removes it, too. */
async function buildAll(host: Host, prepared: readonly DeploymentToPlace[]): Promise<void> {
  await using scope = new AsyncScope();
  for (const deployment of prepared) {
    if (deployment.launcher !== undefined)
      scope.use(await placeLauncher(host, deployment.launcher));
    await buildDeployment(host, deployment);
  }
}
