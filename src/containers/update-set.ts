import { OperationalError } from '../errors/operational-error.js';
import { withContext } from '../errors/with-context.js';
import { isAllowed } from './consent.js';
import type { CompletedTransition } from './complete-transition.js';
import { setLabel } from './container-sets.js';
import type { Deployment } from './deployment.js';
import { executeTransition } from './execute-transition.js';
import { withRequiredHeld } from './hold-required.js';
import type { Host } from './host.js';
import type { JournalEntry } from './journal.js';
import { newVersionsOf } from './new-versions.js';
import { planTransition } from './plan-transition.js';
import { assertPrivileged } from './preflight.js';
import type { PlannedContainer } from './prepare-dependencies.js';
import type { PreparedDeployment } from './prepared-deployment.js';
import type { Transition } from './transition.js';
import { prepareUpdate, type UpdateRequest } from './prepare-update.js';
import type { UpdateOutcome } from './update-outcome.js';
import { withSet } from './with-set.js';

/** What updating, or going back with, a set came to. */
export interface SetOutcome {
  /** `@NAME`. */
  readonly set: string;
  /**
   * As of one container; `rejected` where the image of any member was tried and was not well, `held` where any may do more than
   * before and nobody has allowed it: none is updated then.
   */
  readonly action: UpdateOutcome['action'];
  readonly members: readonly UpdateOutcome[];
}

/**
 * Updates all containers of a set as one: what is new of any is prepared and built before the first is stopped; then all
 * that change are stopped, switched and started, and watched together. If one is not well, all go back.
 *
 * @throws OperationalError as for one container; SET_NOT_FOUND
 */
export async function updateSet(
  host: Host,
  name: string,
  request: UpdateRequest,
): Promise<SetOutcome> {
  return withContext(`cannot update the set '${name}'`, async () => {
    assertPrivileged(host);
    if (request.withDependencies === true) {
      throw new OperationalError(
        'USAGE',
        'what is required is installed for one container at a time, not for a set',
      );
    }
    const { rebase, setValues, fileValues, unsetValues } = request;
    if (rebase !== undefined || setValues.size + fileValues.size + unsetValues.length > 0) {
      throw new OperationalError(
        'USAGE',
        'values and another image are given to one container at a time',
      );
    }
    return withSet(host, name, async ({ members }) => {
      const { outcomes, prepared } = await prepareAll(host, members, request);
      const set = setLabel(name);
      if (outcomes.some(({ action }) => action === 'rejected'))
        return { set, action: 'rejected', members: outcomes };
      if (prepared.length === 0) return { set, action: 'nothing', members: outcomes };
      if (request.planOnly) return { set, action: 'planned', members: outcomes };
      if (!outcomes.every((member) => isAllowed(request.consent, member)))
        return { set, action: 'held', members: outcomes };
      const transitions: Transition[] = [];
      for (const { deployment } of prepared) {
        const from = members.find((member) => member.name === deployment.name);
        if (from === undefined) throw new Error('internal error: not a member');
        transitions.push(await planTransition(host, from, { to: deployment, builds: true }));
      }
      const entry: JournalEntry = {
        operation: 'update',
        name: set,
        transitions,
        purge: false,
        keep: request.keepDeployments,
        watch: request.watch,
      };
      const made = prepared.map(({ deployment }) => deployment);
      const held = members.map((member) => member.name);
      const done = await withRequiredHeld(host, { made, held, wasWhole: true }, () =>
        executeTransition(host, entry, prepared),
      );
      return {
        set,
        action: 'updated',
        members: describeAll(outcomes, transitions, done),
      };
    });
  });
}

/** What was done, member by member, each with what became of its own files. */
export function describeAll(
  outcomes: readonly UpdateOutcome[],
  transitions: readonly Transition[],
  { kept, saved, newVersions }: CompletedTransition,
): readonly UpdateOutcome[] {
  const changed = new Map(transitions.map((transition) => [transition.name, transition]));
  return outcomes.map((outcome) => {
    const transition = changed.get(outcome.name);
    if (transition === undefined) return outcome;
    const files = [...(transition.from?.files ?? []), ...(transition.to?.files ?? [])];
    const own = new Set([...files, ...newVersionsOf(files)].map(({ path }) => path));
    return {
      ...outcome,
      action: 'updated',
      restarted: transition.starts,
      kept: kept.filter((path) => own.has(path)),
      saved: saved.filter((path) => own.has(path.replace(/\.save$/, ''))),
      newVersions: newVersions.filter((path) => own.has(path)),
    };
  });
}

async function prepareAll(
  host: Host,
  members: readonly Deployment[],
  request: UpdateRequest,
): Promise<{
  readonly outcomes: readonly UpdateOutcome[];
  readonly prepared: readonly PreparedDeployment[];
}> {
  const outcomes: UpdateOutcome[] = [];
  const prepared: PreparedDeployment[] = [];
  const planned: PlannedContainer[] = [];
  for (const member of members) {
    await withContext(`cannot update '${member.name}'`, async () => {
      const update = await prepareUpdate(host, member, {
        ...request,
        planned,
        withDependencies: undefined,
      });
      const { prepared: next, required, ...outcome } = update;
      if (required !== undefined) throw new Error('internal error: not asked for');
      outcomes.push(outcome);
      if (next === undefined) return;
      prepared.push(next);
      planned.push({ neighbour: next.deployment, ordering: next.ordering });
    });
  }
  return { outcomes, prepared };
}
