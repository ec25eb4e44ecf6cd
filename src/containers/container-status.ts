import { readJournalTail } from '../systemd/journal-tail.js';
import type { UnitState } from '../systemd/unit-manager.js';
import { getContainer } from './container-directory.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { statesOf } from './list-containers.js';

/** A container with what systemd and its log say of it. */
export interface ContainerStatus {
  readonly deployment: Deployment;
  /** Undefined without a running systemd, or where the container has no service. */
  readonly state: UnitState | undefined;
  /** The last lines of the unit's log, oldest first. */
  readonly log: readonly string[];
}

/** Lines of the log that a status shows. */
const LOG_LINES = 10;

/** Looks a container up, with its unit's state and the end of its log. */
export async function getContainerStatus(host: Host, name: string): Promise<ContainerStatus> {
  const deployment = await getContainer(host.paths, name);
  const unit = deployment.units[0];
  const state = (await statesOf(host, deployment.units.slice(0, 1))).get(unit ?? '');
  const log =
    unit === undefined || state === undefined
      ? []
      : await readJournalTail(unit, { lines: LOG_LINES, mode: host.paths.mode });
  return { deployment, state, log };
}
