import { OperationalError } from '../errors/operational-error.js';
import { readJournalTail } from '../systemd/journal-tail.js';
import type { UnitManager, UnitState } from '../systemd/unit-manager.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { hasCompleted, judgeDependent, judgeUnit } from './judge-state.js';

/** Whether a container is well. The reason is one line, safe to show. */
export type HealthVerdict =
  { readonly healthy: true } | { readonly healthy: false; readonly reason: string };

/** Options of {@link watchHealth}. */
export interface WatchHealthOptions {
  /** Units that were up before the container was changed and have to stay up: see `findActiveDependents`. */
  readonly dependents: readonly string[];
  readonly signal: AbortSignal;
}

/** Lines of the unit's log that a reason quotes. */
const LOG_LINES = 5;

/**
 * Watches a container whose start job has ended well (which for a service that notifies means that it is ready) until it
 * is known whether it is: it stays active for the soak time of its health check without a restart, and takes down
 * nothing that depends on it. A oneshot service that has done its work is well at once.
 *
 * @throws {@link OperationalError} CANCELLED; SYSTEMD_UNAVAILABLE if the bus is lost
 */
export async function watchHealth(
  host: Host,
  deployment: Deployment,
  options: WatchHealthOptions,
): Promise<HealthVerdict> {
  const unit = deployment.units[0];
  if (unit === undefined) return { healthy: true }; // it only brings files for the host
  const manager = await host.openUnitManager();
  const units = [unit, ...options.dependents];
  const changes = new ChangeBell();
  const watch = await manager.watchUnits(units, () => {
    changes.ring();
  });
  try {
    const first = await statesOf(manager, units);
    const until = performance.now() + deployment.health.soakMs;
    for (;;) {
      const heard = changes.next();
      const now = await statesOf(manager, units);
      const problem = findProblem(units, { first, now });
      const own = now.get(unit);
      if (problem !== undefined) {
        const log = await lastWords(host, unit, first.get(unit)?.invocationId);
        return { healthy: false, reason: `${problem}${log}` };
      }
      const left = own !== undefined && hasCompleted(own) ? 0 : until - performance.now();
      if (left <= 0) return { healthy: true };
      await pause(left, { heard, signal: options.signal, unit });
    }
  } finally {
    await watch[Symbol.asyncDispose]();
  }
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
  { first, now }: { readonly first: States; readonly now: States },
): string | undefined {
  const pair = (name = ''): { first: UnitState; now: UnitState } | undefined => {
    const [before, after] = [first.get(name), now.get(name)];
    return before === undefined || after === undefined ? undefined : { first: before, now: after };
  };
  const own = pair(unit);
  const problem = own === undefined ? undefined : judgeUnit(own);
  if (problem !== undefined) return `${unit ?? ''}: ${problem}`;
  for (const name of dependents) {
    const states = pair(name);
    const downfall = states === undefined ? undefined : judgeDependent(states);
    if (downfall !== undefined) return `${name}, which depends on ${unit ?? ''}, ${downfall}`;
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

async function pause(
  timeoutMs: number,
  until: { readonly heard: Promise<void>; readonly signal: AbortSignal; readonly unit: string },
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const interrupted = (): OperationalError =>
    new OperationalError('CANCELLED', `interrupted while watching ${until.unit}`);
  try {
    if (until.signal.aborted) throw interrupted();
    await Promise.race([
      until.heard,
      new Promise<void>((resolve, reject) => {
        timer = setTimeout(resolve, timeoutMs);
        onAbort = () => {
          reject(interrupted());
        };
        until.signal.addEventListener('abort', onAbort, { once: true });
      }),
    ]);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) until.signal.removeEventListener('abort', onAbort);
  }
}
