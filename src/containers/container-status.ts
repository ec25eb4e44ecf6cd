import { isTemplateName } from '../base/container-name.js';
import { readJournalTail } from '../systemd/journal-tail.js';
import type { UnitState } from '../systemd/unit-manager.js';
import type { Deployment } from './deployment.js';
import { findService } from './find-service.js';
import type { Host } from './host.js';
import { findActiveInstances, statesOf } from './list-containers.js';

/** A container with what systemd and its log say of it. */
export interface ContainerStatus {
  /** As it was asked for: `NAME`, `NAME@` or `NAME@INSTANCE`. */
  readonly name: string;
  readonly deployment: Deployment;
  readonly unit: string | undefined;
  /** Undefined without a running systemd, where the container has no service, and for a template. */
  readonly state: UnitState | undefined;
  /** Units of the active instances of a template; undefined for other containers. */
  readonly instances: readonly string[] | undefined;
  /** The last lines of the unit's log, oldest first. */
  readonly log: readonly string[];
}

/** Lines of the log that a status shows. */
const LOG_LINES = 10;

/** Looks a container up, or an instance of one, with its unit's state and the end of its log. */
export async function getContainerStatus(host: Host, name: string): Promise<ContainerStatus> {
  const { deployment, unit } = await findService(host, name);
  const state = (await statesOf(host, unit === undefined ? [] : [unit])).get(unit ?? '');
  const log =
    unit === undefined || state === undefined || isTemplateName(name)
      ? []
      : await readJournalTail(unit, { lines: LOG_LINES, mode: host.paths.mode });
  const instances = isTemplateName(name) ? await findActiveInstances(host, deployment) : undefined;
  return {
    name,
    deployment,
    unit,
    state: instances === undefined ? state : undefined,
    instances,
    log,
  };
}
