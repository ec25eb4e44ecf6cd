import { readAllDeployments } from './all-deployments.js';
import type { Host } from './host.js';
import { findJournal, listJournal } from './journal.js';
import { readDeployments } from './list-containers.js';

/** Which container owns which path of the host; those of `except` are left out. */
export async function ownersOfPaths(
  host: Host,
  except: string,
): Promise<ReadonlyMap<string, string>> {
  const owners = new Map<string, string>();
  for (const deployment of (await readDeployments(host)).deployments) {
    if (deployment.name === except) continue;
    for (const path of deployment.filePaths) owners.set(path, deployment.name);
  }
  return owners;
}

/** A host on which containers of the same files come at every look has been looked at often enough. */
const MAX_LOOKS = 5;

/**
 * Runs `plan`, which looks at what stands on the host, with who owns which path. A container whose link came since brings its
 * files: what `plan` took for the host's own may be that one's. Then it runs once more.
 */
export async function planWithOwners<T>(
  host: Host,
  except: string,
  plan: (ownerOf: (path: string) => string | undefined) => Promise<T>,
): Promise<T> {
  let owners = await ownersOfPaths(host, except);
  for (let look = 1; ; look += 1) {
    const unowned = new Set<string>();
    const planned = await plan((path) => {
      const owner = owners.get(path);
      if (owner === undefined) unowned.add(path);
      return owner;
    });
    owners = await ownersOfPaths(host, except);
    if (look === MAX_LOOKS || ![...unowned].some((path) => owners.has(path))) return planned;
  }
}

/**
 * The paths of the host that belong to containers other than `except`, but for those that are being taken away: of two that go
 * at the same time, each would leave to the other what both have.
 */
export async function pathsThatStay(host: Host, except: string): Promise<ReadonlySet<string>> {
  const leaving = await namesThatLeave(host);
  const { deployments } = await readDeployments(host);
  return new Set(
    deployments
      .filter(({ name }) => name !== except && !leaving.has(name))
      .flatMap(({ filePaths }) => filePaths),
  );
}

/** Containers that will not be there any more, whatever interrupts the command that is at it. */
async function namesThatLeave({ paths }: Host): Promise<ReadonlySet<string>> {
  const leaving = new Set<string>();
  for (const label of await listJournal(paths)) {
    const entry = await findJournal(paths, label).catch(() => undefined); // its own command says what is wrong with it
    if (entry?.operation !== 'uninstall' && entry?.operation !== 'undo') continue;
    for (const { name, to } of entry.transitions) if (to === undefined) leaving.add(name);
  }
  return leaving;
}

/** The folders that came into being with containers other than `except`. */
export async function pathsMadeByOthers(host: Host, except: string): Promise<ReadonlySet<string>> {
  const { deployments } = await readDeployments(host);
  return new Set(
    deployments
      .filter((deployment) => deployment.name !== except)
      .flatMap((deployment) => deployment.createdPaths),
  );
}

/** The folders that came into being with any of the deployments of a container that are on disk. */
export async function pathsMadeByAll(host: Host, name: string): Promise<readonly string[]> {
  const { deployments } = await readAllDeployments(host, { of: name });
  return [...new Set(deployments.flatMap((deployment) => deployment.createdPaths))].sort();
}
