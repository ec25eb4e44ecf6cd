import { withContext } from '../errors/with-context.js';
import { OperationalError } from '../errors/operational-error.js';
import { assertDeploymentWhole } from './assert-whole.js';
import { getContainer, loadDeployment } from './container-directory.js';
import { readSettings } from './container-settings.js';
import { orderDeployments } from './deployment-order.js';
import type { Deployment } from './deployment.js';
import { describeDifference } from './describe-difference.js';
import { openDeploymentSide } from './difference-sides.js';
import { executeTransition } from './execute-transition.js';
import { gainedNeighbours } from './gained-neighbours.js';
import { gainedPermissions } from './gained-permissions.js';
import { withRequiredHeld } from './hold-required.js';
import type { Host } from './host.js';
import type { JournalEntry } from './journal.js';
import { withNameLock } from './name-lock.js';
import { permittedSide } from './permitted-side.js';
import { planTransition } from './plan-transition.js';
import { assertPrivileged } from './preflight.js';
import { inBrief, type UpdateOutcome } from './update-outcome.js';

/** Where to go back to. */
export interface RollbackRequest {
  /** The N of `NAME.N`; the deployment that was the present one before unless given. */
  readonly to: number | undefined;
  readonly watch: boolean;
  readonly keepDeployments: number;
  /** Says what would change, and changes nothing. */
  readonly planOnly?: boolean;
}

/** Why an image that was gone back from is not tried again by itself. */
export const ROLLED_BACK = 'it was rolled back';

/**
 * Goes back to an earlier deployment, from what is on disk: neither a network nor the store is asked. The image that is
 * left is not updated to again without being told to.
 *
 * @throws OperationalError CONTAINER_NOT_FOUND, DEPLOYMENT_NOT_FOUND; CONTAINER_STATE_INVALID if it is not whole, before
 * anything is stopped; UPDATE_UNHEALTHY if the earlier one is not well: the later one runs again then
 */
export async function rollback(
  host: Host,
  name: string,
  request: RollbackRequest,
): Promise<UpdateOutcome> {
  return withContext(`cannot roll back '${name}'`, async () => {
    assertPrivileged(host);
    const present = await getContainer(host.paths, name);
    if (request.planOnly === true)
      return planRollback(host, present, await findTarget(host, present, request.to));
    return withNameLock(host, name, async () => {
      const installed = await getContainer(host.paths, name);
      const target = await findTarget(host, installed, request.to);
      if (target.number === installed.number) return nothingToDo(installed);
      await assertDeploymentWhole(host, target);
      // Before anything is done: what cannot be read here keeps it from beginning, and is not told of what was done.
      const gained = await gainedBy(host, installed, target);
      const transition = await planTransition(host, installed, {
        to: target,
        builds: false,
        rejected: ROLLED_BACK,
      });
      const entry: JournalEntry = {
        operation: 'rollback',
        name,
        transitions: [transition],
        purge: false,
        keep: request.keepDeployments,
        watch: request.watch,
      };
      const { kept, saved } = await withRequiredHeld(
        host,
        { made: [target], wasWhole: false },
        () => executeTransition(host, entry, []),
      );
      return {
        ...nothingToDo(installed),
        action: 'updated',
        to: inBrief(target),
        gained,
        restarted: transition.starts,
        kept,
        saved,
      };
    });
  });
}

/** What going back would do. Takes no lock. */
export async function planRollback(
  host: Host,
  installed: Deployment,
  target: Deployment,
): Promise<UpdateOutcome> {
  if (target.number === installed.number) return nothingToDo(installed);
  await assertDeploymentWhole(host, target);
  using before = await openDeploymentSide(host, installed);
  using after = await openDeploymentSide(host, target);
  const difference = await describeDifference(before, after, {
    bytesToFetch: 0,
    signal: host.signal,
  });
  const gained = await gainedBy(host, installed, target);
  return { ...nothingToDo(installed), action: 'planned', to: inBrief(target), gained, difference };
}

/** What an earlier deployment may do more. Nobody has to allow it: it was installed once. */
export async function gainedBy(
  host: Host,
  installed: Deployment,
  target: Deployment,
): Promise<readonly string[]> {
  const before = await permittedSide(host, installed);
  const after = await permittedSide(host, target);
  const neighbours = await gainedNeighbours(host, { before, after });
  return [...gainedPermissions(before, after), ...neighbours];
}

/** The deployment that `rollback` goes to. */
export async function findTarget(
  host: Host,
  installed: Deployment,
  wanted: number | undefined,
): Promise<Deployment> {
  const { name } = installed;
  const order = await orderDeployments(host, name, await readSettings(host.paths, name));
  const number = wanted ?? order.filter((other) => other !== installed.number).at(-1);
  if (number === undefined || !order.includes(number)) {
    throw new OperationalError(
      'DEPLOYMENT_NOT_FOUND',
      wanted === undefined
        ? 'there is no deployment before the present one'
        : `there is no deployment ${wanted}`,
      { hint: `see 'berth history ${name}'` },
    );
  }
  return loadDeployment(host.paths, `${name}.${number}`);
}

/** The outcome for a container that stays as it is. */
export function nothingToDo(installed: Deployment): UpdateOutcome {
  return {
    name: installed.name,
    action: 'nothing',
    from: inBrief(installed),
    to: inBrief(installed),
    rejected: undefined,
    gained: [],
    asks: [],
    restarted: false,
    kept: [],
    saved: [],
    difference: undefined,
    installs: [],
  };
}
