import { isRunning } from './unit-states.js';
import type { Host } from './host.js';
import { OperationalError } from '../errors/operational-error.js';

/** How {@link stopUnits} goes about it. */
export interface StopOptions {
  /** Kills what has not stopped after a few seconds, whatever its unit allows. */
  readonly impatient: boolean;
  /** Goes on with a warning where systemd says that stopping ended badly. */
  readonly mayFail: boolean;
  /** Units, of templates instances, that are left as they are. */
  readonly except?: readonly string[];
}

/** How long a version that is no good has for ending in order: the one before is to run again within ten seconds. */
const PATIENCE_MS = 5_000;

/**
 * Stops units of a container that run, and waits for it.
 *
 * @throws {@link OperationalError} UNIT_JOB_FAILED unless it may fail
 */
export async function stopUnits(
  host: Host,
  names: readonly string[],
  options: StopOptions,
): Promise<void> {
  const units = await host.openUnitManager();
  const all: string[] = [];
  for (const name of names)
    all.push(...(name.includes('@.') ? await units.listInstances(name) : [name]));
  const { except = [] } = options;
  for (const state of await units.getStates(all.filter((unit) => !except.includes(unit)))) {
    if (state.loadState === 'not-found' || state.activeState === 'inactive') continue;
    // A failed unit has nothing that runs; stopping it takes back a restart that is due.
    const result = await stopOne(host, state.unit, options);
    if (result === 'done') continue;
    if (!options.mayFail && isRunning((await units.getStates([state.unit]))[0])) {
      throw new OperationalError(
        'UNIT_JOB_FAILED',
        `stopping ${state.unit} ended with '${result}', and it still runs`,
      );
    }
    host.onEvent({
      kind: 'warning',
      text: `stopping ${state.unit} ended with '${result}', going on`,
    });
  }
}

async function stopOne(host: Host, unit: string, options: StopOptions): Promise<string> {
  const units = await host.openUnitManager();
  const { signal } = host;
  if (!options.impatient) return (await units.stop(unit, { signal })).result;
  try {
    return (await units.stop(unit, { signal, timeoutMs: PATIENCE_MS })).result;
  } catch (error) {
    if (!(error instanceof OperationalError) || error.code !== 'SYSTEMD_TIMEOUT') throw error;
    host.onEvent({
      kind: 'warning',
      text: `${unit} did not stop in ${PATIENCE_MS / 1000} seconds, killing it`,
    });
    await units.kill(unit);
    return (await units.stop(unit, { signal })).result;
  }
}
