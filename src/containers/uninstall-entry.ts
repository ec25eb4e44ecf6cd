import { isTemplateName } from '../base/container-name.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import type { JournalEntry } from './journal.js';
import { pathsMadeByAll } from './path-owners.js';
import { findServiceBefore } from './service-before.js';
import { sideOf } from './transition.js';

/** What takes a container away, with all of its deployments. Call with the lock of its name held. */
export async function uninstallEntry(
  host: Host,
  deployment: Deployment,
  { purge }: { readonly purge: boolean },
): Promise<JournalEntry> {
  const { name, units } = deployment;
  const createdPaths = await pathsMadeByAll(host, name);
  return {
    operation: 'uninstall',
    name,
    transitions: [
      {
        name,
        from: { ...sideOf(deployment, units, await instancesUp(host, deployment)), createdPaths },
        to: undefined,
        builds: false,
        starts: false,
        dependents: [],
        rejected: undefined,
      },
    ],
    purge,
    keep: 0,
    watch: false,
  };
}

/** Instances of a template that are up of what starts its service: what they made on the host goes with it. */
export async function instancesUp(host: Host, deployment: Deployment): Promise<readonly string[]> {
  return isTemplateName(deployment.name) ? (await findServiceBefore(host, deployment)).up : [];
}
