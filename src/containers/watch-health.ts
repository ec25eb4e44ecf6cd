import { setTimeout as wait } from 'node:timers/promises';

import { isTemplateName } from '../base/container-name.js';
import { OperationalError } from '../errors/operational-error.js';
import { readJournalTail } from '../systemd/journal-tail.js';
import type { UnitManager, UnitState } from '../systemd/unit-manager.js';
import { checkUntilWell } from './check-until-well.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { hasCompleted, isResting, judgeDependent, judgeUnit } from './judge-state.js';
import { runCheck } from './run-check.js';

/** Whether a container is well. The reason is one line, safe to show. */
export type HealthVerdict =
  { readonly healthy: true } | { readonly healthy: false; readonly reason: string };

/** Options of {@link watchHealth}. */
export interface WatchHealthOptions {
  /** Units that were up before the container was changed and have to stay up: see `findActiveDependents`. */
  readonly dependents: readonly string[];
  /** Units that are up and start the container whenever it is wanted; they have to stay up, and the container may rest. */
  readonly activators?: readonly string[];
  readonly signal: AbortSignal;
}

/** Lines of the unit's log that a reason quotes. */
const LOG_LINES = 5;

/**
 * Watches a container whose start job has ended well (which for a service that notifies means that it is ready) until it
 * is known whether it is: it stays active for the soak time of its health check without a restart, passes the check's
 * command, and takes down nothing that depends on it. A oneshot service that has done its work is well at once, and so is one that
 * rests until its socket, timer or path wants it.
 *
 * @throws {@link OperationalError} CANCELLED; SYSTEMD_UNAVAILABLE if the bus is lost; what running the check needs
 */
export async function watchHealth(
  host: Host,
  deployment: Deployment,
  options: WatchHealthOptions,
): Promise<HealthVerdict> {
  const [unit, ...others] = isTemplateName(deployment.name)
    ? options.dependents
    : [...deployment.units.slice(0, 1), ...options.dependents];
  if (unit === undefined) return { healthy: true }; // it only brings files for the host
  const manager = await host.openUnitManager();
  const { activators = [] } = options;
  const mayRest = activators.length > 0;
  const units = [unit, ...others, ...activators];
  const changes = new ChangeBell();
  const watch = await manager.watchUnits(units, () => {
    changes.ring();
  });
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  try {
    const first = await statesOf(manager, units);
    const states = watchStates(manager, { units, first, changes, mayRest, signal });
    const checks = runChecks(host, { deployment, first: first.get(unit), signal });
    const early = await firstOf([states, checks]);
    // Nothing was watched if the interruption came before: that is no health.
    options.signal.throwIfAborted();
    const problem =
      findProblem(units, { first, now: await statesOf(manager, units), mayRest }) ??
      (early === undefined ? undefined : `${unit}: ${early}`);
    if (problem === undefined) return { healthy: true };
    const log = await lastWords(host, unit, first.get(unit)?.invocationId);
    return { healthy: false, reason: `${problem}${log}` };
  } catch (error) {
    if (!options.signal.aborted) throw error;
    throw new OperationalError('CANCELLED', `interrupted while watching ${unit}`, { cause: error });
  } finally {
    over.abort();
    await watch[Symbol.asyncDispose]();
  }
}

/** Resolves when the states say enough: something is wrong, or all work is done. The caller looks what it is. */
async function watchStates(
  manager: UnitManager,
  from: {
    readonly units: readonly string[];
    readonly first: States;
    readonly changes: ChangeBell;
    readonly mayRest: boolean;
    readonly signal: AbortSignal;
  },
): Promise<undefined> {
  const { units, first, changes, mayRest, signal } = from;
  const [unit = ''] = units;
  while (!signal.aborted) {
    const heard = changes.next();
    const now = await statesOf(manager, units);
    const own = now.get(unit);
    if (findProblem(units, { first, now, mayRest }) !== undefined) return undefined;
    if (own !== undefined && (hasCompleted(own) || (mayRest && isResting(own)))) return undefined;
    await heard;
  }
  return undefined;
}

/** Runs the check's command, or only lets the soak time pass where there is none, or nothing that it could look at. */
async function runChecks(
  host: Host,
  from: {
    readonly deployment: Deployment;
    readonly first: UnitState | undefined;
    readonly signal: AbortSignal;
  },
): Promise<string | undefined> {
  const { deployment, first, signal } = from;
  const { health } = deployment;
  const begin = performance.now();
  const { command } = health;
  // Another runtime's container is not entered: where it keeps its namespaces and rights is its own matter.
  const foreign = deployment.runtime !== 'berth';
  if (command !== undefined && foreign) {
    host.onEvent({
      kind: 'warning',
      text: `the health check of '${deployment.name}' is not run: another runtime runs it`,
    });
  }
  if (command === undefined || foreign || first?.mainPid === undefined) {
    await wait(health.soakMs, undefined, { signal });
    return undefined;
  }
  return checkUntilWell(health, {
    run: () => runCheck(host, deployment, { command, timeoutMs: health.timeoutMs, signal }),
    elapsedMs: () => performance.now() - begin,
    sleep: (ms) => wait(ms, undefined, { signal }),
  });
}

/** What ends first; what the others come to is of no interest any more. */
async function firstOf<T>(all: readonly Promise<T>[]): Promise<T> {
  for (const one of all) one.catch(() => undefined);
  return await Promise.race(all);
}

async function lastWords(
  host: Host,
  unit: string,
  invocationId: string | undefined,
): Promise<string> {
  const log = await readJournalTail(unit, {
    lines: LOG_LINES,
    mode: host.paths.mode,
    invocationId,
  });
  return log.length === 0 ? '' : `; its log ends with: ${log.join(' | ')}`;
}

type States = ReadonlyMap<string, UnitState>;

async function statesOf(manager: UnitManager, units: readonly string[]): Promise<States> {
  return new Map((await manager.getStates(units)).map((state) => [state.unit, state]));
}

function findProblem(
  [unit, ...dependents]: readonly string[],
  {
    first,
    now,
    mayRest,
  }: { readonly first: States; readonly now: States; readonly mayRest: boolean },
): string | undefined {
  const pair = (name = ''): { first: UnitState; now: UnitState } | undefined => {
    const [before, after] = [first.get(name), now.get(name)];
    return before === undefined || after === undefined ? undefined : { first: before, now: after };
  };
  const own = pair(unit);
  const problem = own === undefined ? undefined : judgeUnit({ ...own, mayRest });
  if (problem !== undefined) return `${unit ?? ''}: ${problem}`;
  for (const name of dependents) {
    const states = pair(name);
    const downfall = states === undefined ? undefined : judgeDependent(states);
    if (downfall !== undefined)
      return `${name}, which ${/\.(?:socket|timer|path)$/.test(name) ? 'starts' : 'depends on'} ${unit ?? ''}, ${downfall}`;
  }
  return undefined;
}

/** Tells who waits that something changed, also when it changed before they began to wait. */
class ChangeBell {
  #ring: () => void = () => undefined;
  #next = this.#renew();

  ring(): void {
    this.#ring();
    this.#next = this.#renew();
  }

  /** Resolves with the first change after this call. */
  next(): Promise<void> {
    return this.#next;
  }

  #renew(): Promise<void> {
    return new Promise((resolve) => {
      this.#ring = resolve;
    });
  }
}
