import { OperationalError } from '../errors/operational-error.js';
import { withContext } from '../errors/with-context.js';
import { assertDeploymentWhole } from './assert-whole.js';
import { listDeploymentNumbers, loadDeployment } from './container-directory.js';
import { setLabel } from './container-sets.js';
import type { Deployment } from './deployment.js';
import { executeTransition } from './execute-transition.js';
import { withRequiredHeld } from './hold-required.js';
import type { Host } from './host.js';
import type { JournalEntry } from './journal.js';
import { planTransition } from './plan-transition.js';
import { assertPrivileged } from './preflight.js';
import {
  gainedBy,
  nothingToDo,
  planRollback,
  ROLLED_BACK,
  type RollbackRequest,
} from './rollback.js';
import type { Transition } from './transition.js';
import { inBrief, type UpdateOutcome } from './update-outcome.js';
import { describeAll, type SetOutcome } from './update-set.js';
import { withSet, type LockedSet } from './with-set.js';

/**
 * Takes all containers of a set back to what they were before the last change of the set, as one.
 *
 * @throws OperationalError as for one container; SET_NOT_FOUND; DEPLOYMENT_NOT_FOUND if the set never changed, or a member
 * has changed so often since by itself that its deployment is gone
 */
export async function rollbackSet(
  host: Host,
  name: string,
  request: Omit<RollbackRequest, 'to'>,
): Promise<SetOutcome> {
  return withContext(`cannot roll back the set '${name}'`, async () => {
    assertPrivileged(host);
    return withSet(host, name, async ({ set, members }) => {
      const transitions: Transition[] = [];
      const outcomes: UpdateOutcome[] = [];
      const made: Deployment[] = [];
      for (const [member, target] of await findTargets(host, { set, members })) {
        if (target.number === member.number) {
          outcomes.push(nothingToDo(member));
        } else if (request.planOnly === true) {
          outcomes.push(await planRollback(host, member, target));
        } else {
          await assertDeploymentWhole(host, target);
          made.push(target);
          transitions.push(
            await planTransition(host, member, {
              to: target,
              builds: false,
              rejected: ROLLED_BACK,
            }),
          );
          const gained = await gainedBy(host, member, target);
          outcomes.push({ ...nothingToDo(member), to: inBrief(target), gained });
        }
      }
      const label = setLabel(name);
      if (outcomes.some(({ action }) => action === 'planned'))
        return { set: label, action: 'planned', members: outcomes };
      if (transitions.length === 0) return { set: label, action: 'nothing', members: outcomes };
      const entry: JournalEntry = {
        operation: 'rollback',
        name: label,
        transitions,
        purge: false,
        keep: request.keepDeployments,
        watch: request.watch,
      };
      const held = members.map((member) => member.name);
      const done = await withRequiredHeld(host, { made, held, wasWhole: false }, () =>
        executeTransition(host, entry, []),
      );
      return {
        set: label,
        action: 'updated',
        members: describeAll(outcomes, transitions, done),
      };
    });
  });
}

/** Each member with the deployment that it goes back to, or stays at. */
async function findTargets(
  host: Host,
  { set, members }: LockedSet,
): Promise<readonly (readonly [Deployment, Deployment])[]> {
  if (set.previous.size === 0) {
    throw new OperationalError(
      'DEPLOYMENT_NOT_FOUND',
      'it has not been changed as a set, there is nothing to go back to',
    );
  }
  const targets: (readonly [Deployment, Deployment])[] = [];
  for (const member of members) {
    const number = set.previous.get(member.name) ?? member.number;
    if (!(await listDeploymentNumbers(host.paths, member.name)).includes(number)) {
      throw new OperationalError(
        'DEPLOYMENT_NOT_FOUND',
        `deployment ${number} of '${member.name}' is not there any more`,
        { hint: `see 'berth history ${member.name}'` },
      );
    }
    targets.push([member, await loadDeployment(host.paths, `${member.name}.${number}`)]);
  }
  return targets;
}
