import { isTemplateName } from '../base/container-name.js';
import { OperationalError } from '../errors/operational-error.js';
import { loadDeployment } from './container-directory.js';
import type { Host } from './host.js';
import type { JournalEntry } from './journal.js';
import type { SwitchedOver } from './switch-over.js';
import { directoryOf, type Transition } from './transition.js';
import { isRunning } from './unit-states.js';
import { runJob } from './unit-verbs.js';
import { watchHealth } from './watch-health.js';

/** The other version of a container did not start, or is not well. */
export class UnhealthyError extends OperationalError {
  /** The container that it is about: of a set, the others may be well. */
  readonly container: string;

  constructor(container: string, reason: string, cause?: unknown) {
    super('UPDATE_UNHEALTHY', reason, {
      cause,
      hint: `the version before is in its place again; 'berth logs ${container}' says more`,
    });
    this.container = container;
  }
}

/**
 * Starts what waited for services to be wanted, the services that ran before, then what went down with them, and watches until
 * it is known whether they are well. A way back is not watched: whatever comes of it, there is nothing to go to from there.
 *
 * @throws {@link UnhealthyError} if one does not start or is not well; CANCELLED
 */
export async function bringUp(
  host: Host,
  entry: JournalEntry,
  { stopped }: Pick<SwitchedOver, 'stopped'>,
): Promise<void> {
  const started = entry.transitions.filter(({ starts, to }) => starts && to !== undefined);
  for (const transition of entry.transitions) {
    try {
      await startWaiting(host, transition);
      if (started.includes(transition))
        await startService(host, transition, stopped.has(transition.name));
    } catch (error) {
      if (!(error instanceof OperationalError) || error.code !== 'UNIT_JOB_FAILED') throw error;
      if (entry.operation !== 'undo')
        throw new UnhealthyError(transition.name, error.message, error);
      host.onEvent({ kind: 'warning', text: `the version before did not start: ${error.message}` });
    }
  }
  for (const { dependents } of started) await startDependents(host, dependents);
  if (entry.watch) await watchAll(host, started);
}

/** Ends with the first one that is not well: whether the others are does not matter any more. */
async function watchAll(host: Host, started: readonly Transition[]): Promise<void> {
  const known = new AbortController();
  const signal = AbortSignal.any([host.signal, known.signal]);
  const watched = started.map((transition) => watch(host, transition, signal));
  try {
    await Promise.all(watched);
  } finally {
    known.abort();
    await Promise.allSettled(watched);
  }
}

/** A socket cannot be started while its service runs: that may have been started by hand, or by what requires it. */
async function startWaiting(host: Host, { to }: Transition): Promise<void> {
  if (to === undefined || to.up.length === 0) return;
  const units = await host.openUnitManager();
  const down = (await units.getStates(to.up)).filter((state) => !isRunning(state));
  for (const { unit } of down) {
    const service = unit.replace(/\.socket$/, '.service');
    const [state] = service === unit ? [] : await units.getStates([service]);
    if (isRunning(state)) await runJob(host, 'stop', service);
    await units.resetFailed(unit);
    await runJob(host, 'start', unit);
  }
}

async function startService(
  host: Host,
  { name, to }: Transition,
  wasStopped: boolean,
): Promise<void> {
  const units = await host.openUnitManager();
  // Instances of a template come back as what went down with it.
  if (isTemplateName(name)) return;
  for (const unit of to?.units.slice(0, 1) ?? []) {
    const [state] = await units.getStates([unit]);
    if (wasStopped && isRunning(state)) {
      // Something started it before the link was renamed: which version runs is anybody's guess.
      await runJob(host, 'restart', unit);
      continue;
    }
    if (!isRunning(state)) await units.resetFailed(unit); // or the failures of the other version would count for this one
    host.onEvent({ kind: 'step', text: `Starting ${name}` });
    await runJob(host, 'start', unit);
  }
}

async function startDependents(host: Host, dependents: readonly string[]): Promise<void> {
  for (const unit of dependents) {
    try {
      await runJob(host, 'start', unit);
    } catch (error) {
      if (!(error instanceof OperationalError) || host.signal.aborted) throw error;
      // Watching finds it down, with the reason.
      host.onEvent({ kind: 'warning', text: error.message });
    }
  }
}

async function watch(
  host: Host,
  { name, to, dependents }: Transition,
  signal: AbortSignal,
): Promise<void> {
  const deployment = await loadDeployment(host.paths, directoryOf(name, to) ?? name);
  const { soakMs } = deployment.health;
  host.onEvent({ kind: 'step', text: `Watching whether ${name} stays up, for ${soakMs / 1000} s` });
  const activators = to?.up ?? [];
  const verdict = await watchHealth(host, deployment, { dependents, activators, signal });
  if (!verdict.healthy) throw new UnhealthyError(name, verdict.reason);
}
