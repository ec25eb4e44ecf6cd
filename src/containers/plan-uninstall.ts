import { withContext } from '../errors/with-context.js';
import { listDeploymentNumbers, getContainer } from './container-directory.js';
import { compareFile } from './file-state.js';
import type { Host } from './host.js';
import { findSocketFiles } from './left-sockets.js';
import { newVersionsOf } from './new-versions.js';
import { ownersOfPaths, pathsMadeByAll, pathsMadeByOthers } from './path-owners.js';
import { instancesUp } from './uninstall-entry.js';
import { assertNotRequired, type UninstallOptions } from './uninstall.js';

/** What uninstalling a container will do; made without changing anything. */
export interface UninstallPlan {
  readonly name: string;
  /** Units that are stopped and disabled. */
  readonly units: readonly string[];
  /** Files of the host that go, those of its sockets among them; folders where they are empty then. */
  readonly removes: readonly string[];
  /** Files that were changed on this host: units are renamed to `PATH.save`, others stay. */
  readonly keeps: readonly string[];
  /** `NAME.N`. */
  readonly deployments: readonly string[];
  /** Folders with its state: with `purges` they go with what is in them, else where they are empty. */
  readonly statePaths: readonly string[];
  readonly purges: boolean;
}

/**
 * Says what uninstalling a container would do. Takes no lock.
 *
 * @throws OperationalError CONTAINER_NOT_FOUND, CONTAINER_REQUIRED
 */
export async function planUninstall(
  host: Host,
  name: string,
  options: UninstallOptions,
): Promise<UninstallPlan> {
  return withContext(`cannot uninstall '${name}'`, async () => {
    const { paths } = host;
    const deployment = await getContainer(paths, name);
    if (options.force !== true) await assertNotRequired(host, name, options.alongWith ?? []);
    const shared = await ownersOfPaths(host, name);
    const removes: string[] = [];
    const keeps: string[] = [];
    for (const file of deployment.files) {
      if (shared.has(file.path)) continue;
      const state = await compareFile(paths.onDisk(file.path), file);
      if (state === 'same') removes.push(file.path);
      if (state === 'changed') keeps.push(file.path);
    }
    for (const file of newVersionsOf(deployment.files))
      if ((await compareFile(paths.onDisk(file.path), file)) === 'same') removes.push(file.path);
    const up = await instancesUp(host, deployment);
    removes.push(...(await findSocketFiles(paths, { name, side: { ...deployment, up } })));
    const others = await pathsMadeByOthers(host, name);
    const numbers = await listDeploymentNumbers(paths, name);
    return {
      name,
      units: deployment.units,
      removes,
      keeps,
      deployments: numbers.map((number) => `${name}.${number}`),
      statePaths: (await pathsMadeByAll(host, name)).filter((path) => !others.has(path)),
      purges: options.purge,
    };
  });
}
