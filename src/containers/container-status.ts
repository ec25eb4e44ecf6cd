import { availableParallelism } from 'node:os';

import { isTemplateName } from '../base/container-name.js';
import { mapAtOnce } from '../base/map-at-once.js';
import { OperationalError } from '../errors/operational-error.js';
import { findLoggedUnits, readJournalTail, syncJournal } from '../systemd/journal-tail.js';
import { readJournalTails } from '../systemd/journal-tails.js';
import type { UnitState } from '../systemd/unit-manager.js';
import { startedAtBoot } from './activators.js';
import { listContainerNames } from './container-directory.js';
import type { HeldUpdate } from './container-settings.js';
import type { Deployment } from './deployment.js';
import { findService, type FoundService } from './find-service.js';
import { findHeld } from './held-update.js';
import type { Host } from './host.js';
import { findActiveInstances, statesOf } from './list-containers.js';
import { offlineStatesOf, type OfflineState } from './offline-states.js';

/** A container with what systemd and its log say of it. */
export interface ContainerStatus {
  /** As it was asked for: `NAME`, `NAME@` or `NAME@INSTANCE`. */
  readonly name: string;
  readonly deployment: Deployment;
  readonly unit: string | undefined;
  /** Undefined without a running systemd, where the container has no service, and for a template. */
  readonly state: UnitState | undefined;
  /** Of what starts the service; empty where nothing does, and where nothing runs. */
  readonly activators: readonly UnitState[];
  /** Units of the active instances of a template; undefined for other containers. */
  readonly instances: readonly string[] | undefined;
  /** Of a tree that is not running; undefined on a host that runs, and where the container has no service. */
  readonly offline: OfflineState | undefined;
  /** The last lines of the unit's log, oldest first. */
  readonly log: readonly string[];
  /** A new version that the timer leaves to a person; undefined where there is none. */
  readonly held: HeldUpdate | undefined;
}

/** Lines of the log that a status shows. */
const LOG_LINES = 10;

/** So many units that it is quicker to ask first which of them the journal knows. */
const MANY = 20;

/** Programs that read the log: each is busy, so that more than there are processors would only wait for each other. */
const LOGS_AT_ONCE = availableParallelism();

/**
 * Looks containers up, or instances of one, each with its unit's state and the end of its log; all that are installed where
 * none are named.
 *
 * @throws OperationalError CONTAINER_NOT_FOUND
 */
export async function getContainerStatuses(
  host: Host,
  names: readonly string[] | undefined,
): Promise<readonly ContainerStatus[]> {
  const services =
    names === undefined ? await findAllServices(host) : await findServices(host, names);
  const states = await statesOf(
    host,
    services.flatMap(({ unit, activators }) => [
      ...(unit === undefined ? [] : [unit]),
      ...activators,
    ]),
  );
  const offline = await offlineStatesOf(
    host,
    services.flatMap(({ unit, activators }) => [
      ...(unit === undefined ? [] : [unit]),
      ...activators,
    ]),
  );
  const { mode } = host.paths;
  // Once for all: it takes as long as reading the log of one.
  const isSynced = mode === 'system' && states.size > 1;
  if (isSynced) await syncJournal().catch(() => undefined); // what is there is shown
  // Of a thousand containers most may never have run.
  const logged = isSynced && states.size >= MANY ? await findLoggedUnits(host.signal) : undefined;
  const withLog = services.flatMap(({ name, unit }) =>
    unit === undefined || isTemplateName(name) || !states.has(unit) || logged?.has(unit) === false
      ? []
      : [unit],
  );
  const logs = await readLogs(host, withLog, isSynced);
  return mapAtOnce(services, LOGS_AT_ONCE, async ({ name, deployment, unit, ...found }) => {
    const state = states.get(unit ?? '');
    const activators = found.activators.flatMap((activator) => states.get(activator) ?? []);
    const held = await findHeld(host, deployment);
    const inTree = [unit ?? '', ...found.activators].map((one) => offline.get(one));
    const about = { name, deployment, unit, activators, held, offline: startedAtBoot(inTree) };
    if (isTemplateName(name)) {
      const instances = await findActiveInstances(host, deployment);
      return { ...about, state: instances === undefined ? state : undefined, instances, log: [] };
    }
    return { ...about, state, instances: undefined, log: logs.get(unit ?? '') ?? [] };
  });
}

async function readLogs(
  { paths: { mode }, signal }: Host,
  units: readonly string[],
  isSynced: boolean,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const [unit] = units;
  const lines = LOG_LINES;
  if (unit !== undefined && units.length === 1)
    return new Map([[unit, await readJournalTail(unit, { lines, mode, isSynced })]]);
  return readJournalTails(units, { lines, mode, signal, atOnce: LOGS_AT_ONCE });
}

type NamedService = FoundService & { readonly name: string };

async function findServices(
  host: Host,
  names: readonly string[],
): Promise<readonly NamedService[]> {
  const found: NamedService[] = [];
  for (const name of names) found.push({ name, ...(await findService(host, name)) });
  return found;
}

/** Without those that are uninstalled meanwhile. */
async function findAllServices(host: Host): Promise<readonly NamedService[]> {
  const found: NamedService[] = [];
  for (const name of await listContainerNames(host.paths)) {
    try {
      found.push({ name, ...(await findService(host, name)) });
    } catch (error) {
      if (!(error instanceof OperationalError) || error.code !== 'CONTAINER_NOT_FOUND') throw error;
    }
  }
  return found;
}
