import { quote } from '../base/escape-text.js';
import { lookUp } from '../base/look-up.js';
import { OperationalError } from '../errors/operational-error.js';
import type { RuntimeProcess } from '../oci/runtime-config.js';
import type { UnitDirective } from './launch-plan.js';

const POLICIES: Readonly<Record<string, string>> = {
  SCHED_OTHER: 'other',
  SCHED_BATCH: 'batch',
  SCHED_IDLE: 'idle',
  SCHED_FIFO: 'fifo',
  SCHED_RR: 'rr',
};

const IO_CLASSES: Readonly<Record<string, string>> = {
  IOPRIO_CLASS_RT: 'realtime',
  IOPRIO_CLASS_BE: 'best-effort',
  IOPRIO_CLASS_IDLE: 'idle',
};

/**
 * Gives the scheduler and the I/O priority of the process as settings of the unit.
 *
 * @throws {@link OperationalError} RUNTIME_UNSUPPORTED
 */
export function compileScheduling(process: RuntimeProcess): readonly UnitDirective[] {
  const rows: UnitDirective[] = [];
  const { scheduler, ioPriority } = process;
  if (scheduler !== undefined) {
    const policy = lookUp(POLICIES, scheduler.policy);
    if (policy === undefined) unsupported('scheduler', scheduler.policy);
    const flag = scheduler.flags.find((name) => name !== 'SCHED_FLAG_RESET_ON_FORK');
    if (flag !== undefined) unsupported('scheduler flag', flag);
    rows.push(['Service', 'CPUSchedulingPolicy', policy]);
    if (scheduler.priority !== undefined && scheduler.priority > 0) {
      rows.push(['Service', 'CPUSchedulingPriority', String(scheduler.priority)]);
    }
    if (scheduler.nice !== undefined) rows.push(['Service', 'Nice', String(scheduler.nice)]);
    if (scheduler.flags.length > 0) rows.push(['Service', 'CPUSchedulingResetOnFork', 'yes']);
  }
  if (ioPriority !== undefined) {
    const ioClass = lookUp(IO_CLASSES, ioPriority.class);
    if (ioClass === undefined) unsupported('I/O priority class', ioPriority.class);
    rows.push(['Service', 'IOSchedulingClass', ioClass]);
    rows.push(['Service', 'IOSchedulingPriority', String(ioPriority.priority)]);
  }
  return rows;
}

/** The score by which the kernel chooses what it kills, as a setting of the unit: a user's manager takes what it may. */
export function compileOomScore(
  { oomScoreAdj }: RuntimeProcess,
  warn: (warning: string) => void,
): readonly UnitDirective[] {
  if (oomScoreAdj === undefined) return [];
  if (oomScoreAdj < 0) warn('process.oomScoreAdj: only root can have one below 0');
  return [['Service', 'OOMScoreAdjust', String(oomScoreAdj)]];
}

function unsupported(what: string, value: string): never {
  throw new OperationalError(
    'RUNTIME_UNSUPPORTED',
    `process: ${what} ${quote(value)} is not supported`,
  );
}
