import { parseContainerName } from '../base/container-name.js';
import { withContext } from '../errors/with-context.js';
import { isAllowed } from './consent.js';
import { getContainer } from './container-directory.js';
import { withInstalled } from './execute-installs.js';
import { executeTransition } from './execute-transition.js';
import { withRequiredHeld } from './hold-required.js';
import { preferring, type Host } from './host.js';
import { withNewNames } from './install-requirements.js';
import type { JournalEntry } from './journal.js';
import { finishOthers, withNameLock } from './name-lock.js';
import { planTransition } from './plan-transition.js';
import { assertPrivileged } from './preflight.js';
import { prepareUpdate, type UpdateRequest } from './prepare-update.js';
import type { UpdateOutcome } from './update-outcome.js';

/**
 * Updates a container: looks its image's reference up again at its source, and where that or a value is new, makes the
 * next deployment, switches over, and watches whether it is well; goes back by itself if not. A container that does not
 * run is not started.
 *
 * @throws OperationalError CONTAINER_NOT_FOUND; UPDATE_UNHEALTHY if it went back; what pulling, rendering and activating
 * throw, with everything taken back
 */
export async function update(
  host: Host,
  name: string,
  request: UpdateRequest,
): Promise<UpdateOutcome> {
  return withContext(`cannot update '${name}'`, async () => {
    assertPrivileged(host);
    await getContainer(host.paths, name); // a mistyped name is told before a lock file is made for it
    if (request.planOnly) return updateLocked(host, name, request);
    return withNameLock(host, name, async () => {
      // As in installing: what was half installed would else count as installed.
      if (request.withDependencies === true) await finishOthers(host, name);
      return updateLocked(host, name, request);
    });
  });
}

async function updateLocked(
  anyHost: Host,
  name: string,
  request: UpdateRequest,
): Promise<UpdateOutcome> {
  const installed = await getContainer(anyHost.paths, name);
  const host = preferring(anyHost, installed.storage);
  const update = await prepareUpdate(host, installed, request);
  const { prepared, required, ...outcome } = update;
  if (prepared === undefined || request.planOnly) return outcome;
  if (!isAllowed(request.consent, outcome)) return { ...outcome, action: 'held' };
  const transition = await planTransition(host, installed, {
    to: prepared.deployment,
    builds: true,
  });
  const entry: JournalEntry = {
    operation: 'update',
    name,
    transitions: [transition],
    purge: false,
    keep: request.keepDeployments,
    watch: request.watch,
  };
  const steps = required?.steps ?? [];
  const made = [...steps, prepared].map(({ deployment }) => deployment);
  const newNames = steps.map(({ deployment }) => parseContainerName(deployment.name));
  const { kept, saved, newVersions } = await withNewNames(host, newNames, () =>
    withRequiredHeld(host, { made, wasWhole: true }, () =>
      withInstalled(host, steps, {
        enable: true,
        body: () => executeTransition(host, entry, [prepared]),
      }),
    ),
  );
  const done = { kept, saved, newVersions };
  return { ...outcome, action: 'updated', restarted: transition.starts, ...done };
}
