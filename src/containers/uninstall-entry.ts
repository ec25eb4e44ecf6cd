import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import type { JournalEntry } from './journal.js';
import { pathsMadeByAll } from './path-owners.js';
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
        from: { ...sideOf(deployment, units), createdPaths },
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
