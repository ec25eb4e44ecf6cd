import { randomBytes } from 'node:crypto';

import { AsyncScope } from '../base/scope.js';
import { getContainer } from './container-directory.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { install, type InstallRequest } from './install.js';
import { beginOneRun, type OneRun } from './one-run.js';
import { uninstall } from './uninstall.js';

/** A container that is there for one run. */
export interface FreshContainer {
  readonly deployment: Deployment;
  /** Pass it to {@link runInStopped}. */
  readonly oneRun: OneRun;
}

/** What of an installation a fresh container does not decide by itself. */
export type FreshRequest = Omit<
  InstallRequest,
  'name' | 'rootfs' | 'runtime' | 'planOnly' | 'enable' | 'start' | 'keepExisting' | 'beforeInstall'
>;

/**
 * Runs `body` with a container of an image under a name of its own, and uninstalls it with its state whatever comes of it;
 * where berth is killed, recovery does.
 *
 * @throws what installing and uninstalling throw
 */
export async function withFreshContainer<T>(
  host: Host,
  request: FreshRequest,
  body: (fresh: FreshContainer) => Promise<T>,
): Promise<T> {
  const name = `run-${randomBytes(4).toString('hex')}`;
  await using scope = new AsyncScope();
  let oneRun: OneRun | undefined;
  await install(host, {
    ...request,
    name,
    rootfs: undefined,
    runtime: undefined,
    planOnly: false,
    enable: false,
    start: false,
    keepExisting: false,
    beforeInstall: async () => {
      oneRun = scope.use(await beginOneRun(host, name));
    },
  });
  if (oneRun === undefined) throw new Error('internal error: a fresh container was there before');
  try {
    return await body({ deployment: await getContainer(host.paths, name), oneRun });
  } finally {
    // What interrupted the program does not interrupt the tidying up.
    const undisturbed = { ...host, signal: new AbortController().signal };
    await uninstall(undisturbed, name, { purge: true });
  }
}
