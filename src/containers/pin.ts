import { OperationalError } from '../errors/operational-error.js';
import { withContext } from '../errors/with-context.js';
import { getContainer, listDeploymentNumbers } from './container-directory.js';
import { changeSettings, readSettings } from './container-settings.js';
import type { Host } from './host.js';
import { withNameLock } from './name-lock.js';
import { assertPrivileged } from './preflight.js';

/** What to pin. */
export interface PinRequest {
  /** The N of `NAME.N`; the present deployment unless given. With `remove`, all of them. */
  readonly number: number | undefined;
  /** Unpins instead. */
  readonly remove: boolean;
}

/**
 * Pins a deployment: updates never remove it. Unpinning removes nothing by itself; the next update does. Gives the numbers
 * that are pinned then.
 *
 * @throws OperationalError CONTAINER_NOT_FOUND, DEPLOYMENT_NOT_FOUND
 */
export async function pin(
  host: Host,
  name: string,
  request: PinRequest,
): Promise<readonly number[]> {
  return withContext(`cannot pin a deployment of '${name}'`, async () => {
    assertPrivileged(host);
    await getContainer(host.paths, name);
    return withNameLock(host, name, async () => {
      const current = await getContainer(host.paths, name);
      const { pinned } = await readSettings(host.paths, name);
      const number = request.number ?? current.number;
      if (request.remove) {
        const left = request.number === undefined ? [] : pinned.filter((other) => other !== number);
        return (await changeSettings(host.paths, name, { pinned: left })).pinned;
      }
      if (!(await listDeploymentNumbers(host.paths, name)).includes(number)) {
        throw new OperationalError('DEPLOYMENT_NOT_FOUND', `there is no deployment ${number}`, {
          hint: `see 'berth history ${name}'`,
        });
      }
      const all = [...new Set([...pinned, number])].sort((a, b) => a - b);
      return (await changeSettings(host.paths, name, { pinned: all })).pinned;
    });
  });
}
