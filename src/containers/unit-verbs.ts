import { OperationalError } from '../errors/operational-error.js';
import { withContext } from '../errors/with-context.js';
import type { JobOutcome } from '../systemd/unit-manager.js';
import { readJournalTail } from '../systemd/journal-tail.js';
import { getRunnableService } from './find-service.js';
import type { Host } from './host.js';

/** The verbs that are handed to systemd as they are. */
export type UnitVerb = 'start' | 'stop' | 'restart';

/** Lines of the unit's log that an error shows: enough for the reason, short enough to read. */
const LOG_LINES = 5;

/**
 * Starts, stops or restarts a container's service and waits for systemd's job.
 *
 * @throws OperationalError CONTAINER_NOT_FOUND; UNIT_JOB_FAILED with what the unit's log said last
 */
export async function runUnitVerb(host: Host, verb: UnitVerb, name: string): Promise<void> {
  await withContext(`cannot ${verb} '${name}'`, async () => {
    const { unit } = await getRunnableService(host, name);
    await runJob(host, verb, unit);
  });
}

/** Runs one job on a unit; see {@link runUnitVerb}. */
export async function runJob(host: Host, verb: UnitVerb, unit: string): Promise<void> {
  const manager = await host.openUnitManager();
  const outcome = await manager[verb](unit, { signal: host.signal });
  if (outcome.result === 'done' || outcome.result === 'skipped') return;
  const [state] = await manager.getStates([unit]);
  const log = await readJournalTail(unit, { lines: LOG_LINES, mode: host.paths.mode });
  const said = log.length === 0 ? '' : `; its log ends with: ${log.join(' | ')}`;
  const how = state === undefined || state.result === 'success' ? '' : `, result '${state.result}'`;
  throw new OperationalError(
    'UNIT_JOB_FAILED',
    `${unit}: ${JOB_WORDS[outcome.result] ?? outcome.result}${how}${said}`,
    {
      hint: `see 'journalctl ${host.paths.mode === 'user' ? '--user ' : ''}-u ${unit}' and 'systemctl status ${unit}'`,
    },
  );
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
