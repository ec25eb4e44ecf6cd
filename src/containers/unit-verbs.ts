import { withContext } from '../errors/with-context.js';
import type { JobOutcome } from '../systemd/unit-manager.js';
import { getRunnableService } from './find-service.js';
import type { Host } from './host.js';
import { startsByActivators } from './activators.js';
import { lookFirst, type FreshService } from './second-look.js';
import { unitFailed } from './unit-failed.js';
import { isRunning } from './unit-states.js';

/** The verbs that are handed to systemd as they are. */
export type UnitVerb = 'start' | 'stop' | 'restart';

/** What a verb came to. */
export interface VerbOutcome {
  /** Sockets that starting left down, with a warning: they cannot be started while their service runs. */
  readonly leftDown: readonly string[];
  /** The service that it started, for `lookAgain`; undefined where it started none. */
  readonly fresh?: FreshService | undefined;
}

/**
 * Starts, stops or restarts a container and waits for systemd's jobs: its service and, where it has a socket, timer or path,
 * these. Starting makes it what it is after a boot: a service that starts by them alone rests until it is wanted. Stopping
 * stops them first. Restarting leaves those that are up as they are, so that no connection is refused.
 *
 * @throws OperationalError CONTAINER_NOT_FOUND; UNIT_JOB_FAILED with what the unit's log said last
 */
export async function runUnitVerb(host: Host, verb: UnitVerb, name: string): Promise<VerbOutcome> {
  return withContext(`cannot ${verb} '${name}'`, async () => {
    const { unit, activators } = await getRunnableService(host, name);
    return runVerb(host, verb, { name, units: [unit, ...activators] });
  });
}

/** {@link runUnitVerb} on the units of a container, the service first. */
export async function runVerb(
  host: Host,
  verb: UnitVerb,
  { name, units }: { readonly name: string; readonly units: readonly string[] },
): Promise<VerbOutcome> {
  const [unit, ...activators] = units;
  if (unit === undefined) return { leftDown: [] };
  const manager = await host.openUnitManager();
  const [service, ...others] = await manager.getStates(units);
  const isWanted = activators.length === 0 || service === undefined || !startsByActivators(service);
  if (verb === 'stop') {
    for (const each of [...activators, unit]) await runJob(host, verb, each);
    return { leftDown: [] };
  }
  const down = others.filter((state) => !isRunning(state)).map((state) => state.unit);
  const isUp = isRunning(service);
  // One that failed is started again, whoever started it.
  const isOn = isUp || service?.activeState === 'failed';
  if (verb === 'restart' && isUp && down.length === 0) {
    await runJob(host, verb, unit);
    return { leftDown: [], fresh: await lookFirst(host, unit) };
  }
  // Once a service runs its socket cannot be started any more.
  if (verb === 'restart' && isUp) await runJob(host, 'stop', unit);
  const left = verb === 'start' && isUp ? down.filter((each) => each.endsWith('.socket')) : [];
  for (const each of down) if (!left.includes(each)) await runJob(host, 'start', each);
  const starts = isWanted || (verb === 'restart' && isOn);
  if (starts) await runJob(host, verb, unit);
  // One that ran already has shown that it stays up.
  const fresh = starts && !(verb === 'start' && isUp) ? await lookFirst(host, unit) : undefined;
  for (const each of left) {
    const text = `${each} stays down, as ${unit} runs already: 'berth restart ${name}' brings both up`;
    host.onEvent({ kind: 'warning', text });
  }
  return { leftDown: left, fresh };
}

/** Runs one job on a unit; see {@link runUnitVerb}. */
export async function runJob(host: Host, verb: UnitVerb, unit: string): Promise<void> {
  const manager = await host.openUnitManager();
  const outcome = await manager[verb](unit, { signal: host.signal });
  if (outcome.result === 'done' || outcome.result === 'skipped') return;
  const [state] = await manager.getStates([unit]);
  const how = state === undefined || state.result === 'success' ? '' : `, result '${state.result}'`;
  throw await unitFailed(host, unit, {
    problem: `${JOB_WORDS[outcome.result] ?? outcome.result}${how}`,
  });
}

const JOB_WORDS: Readonly<Partial<Record<JobOutcome['result'], string>>> = {
  canceled: 'the job was canceled by another one',
  timeout: 'the job timed out',
  failed: 'the unit failed',
  dependency: 'a unit that it requires failed',
  assert: 'an assertion of the unit failed',
  invalid: 'the unit cannot do this',
  unsupported: 'this kind of unit is not supported here',
  collected: 'the unit was unloaded meanwhile',
  once: 'the unit ran once and does not start again',
  frozen: 'the unit is frozen',
  concurrency: 'the concurrency limit of its slice is reached',
};
