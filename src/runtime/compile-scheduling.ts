import { quote } from '../base/escape-text.js';
import { lookUp } from '../base/look-up.js';
import { OperationalError } from '../errors/operational-error.js';
import type { RuntimeProcess, RuntimeScheduler } from '../oci/runtime-config.js';
import { parseNumberList } from './number-list.js';
import type { Instruction } from './plan-format.js';

/** sched(7). SCHED_ISO has a number and no implementation: the kernel refuses it. */
const POLICIES: Readonly<Record<string, number>> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};

/** sched_setattr(2). */
const FLAGS: Readonly<Record<string, number>> = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
};

/** ioprio_set(2). */
const IO_CLASSES: Readonly<Record<string, number>> = {
  IOPRIO_CLASS_RT: 1,
  IOPRIO_CLASS_BE: 2,
  IOPRIO_CLASS_IDLE: 3,
};
const IOPRIO_CLASS_SHIFT = 13;
const IOPRIO_WHO_PROCESS = 1;

/** Size of `struct sched_attr` in its second version (5.3). */
const SCHED_ATTR_BYTES = 56;

/**
 * Gives the scheduler and the I/O priority of the process as instructions: for a container that no unit does this for.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID
 */
export function compileSchedulingCalls(
  process: Pick<RuntimeProcess, 'scheduler' | 'ioPriority'>,
): readonly Instruction[] {
  const { scheduler, ioPriority } = process;
  const instructions: Instruction[] = [];
  if (ioPriority !== undefined) {
    const ioClass = numberOf(IO_CLASSES, ioPriority.class, 'process.ioPriority.class');
    const value = (ioClass << IOPRIO_CLASS_SHIFT) | ioPriority.priority;
    instructions.push(['IO_PRIORITY', IOPRIO_WHO_PROCESS, 0, value]);
  }
  if (scheduler !== undefined) instructions.push(['SCHEDULE', 0, encodeScheduler(scheduler), 0]);
  return instructions;
}

/** `struct sched_attr`: u32 size, policy; u64 flags; s32 nice; u32 priority; u64 runtime, deadline, period. */
function encodeScheduler(scheduler: RuntimeScheduler): Buffer {
  const attr = Buffer.alloc(SCHED_ATTR_BYTES);
  const flags = scheduler.flags.reduce(
    (all, name) => all | numberOf(FLAGS, name, 'process.scheduler.flags'),
    0,
  );
  attr.writeUInt32LE(SCHED_ATTR_BYTES, 0);
  attr.writeUInt32LE(numberOf(POLICIES, scheduler.policy, 'process.scheduler.policy'), 4);
  attr.writeBigUInt64LE(BigInt(flags), 8);
  attr.writeInt32LE(scheduler.nice ?? 0, 16);
  attr.writeUInt32LE(scheduler.priority ?? 0, 20);
  attr.writeBigUInt64LE(BigInt(scheduler.runtime ?? 0), 24);
  attr.writeBigUInt64LE(BigInt(scheduler.deadline ?? 0), 32);
  attr.writeBigUInt64LE(BigInt(scheduler.period ?? 0), 40);
  return attr;
}

/**
 * Gives a list of processors (`process.execCPUAffinity`) as an instruction; it applies to what `exec` runs alone.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID
 */
export function compileAffinity(list: string | undefined, at: string): readonly Instruction[] {
  if (list === undefined) return [];
  const mask = parseNumberList(list, at);
  return [['AFFINITY', 0, mask.length, mask]];
}

function numberOf(table: Readonly<Record<string, number>>, name: string, at: string): number {
  const number = lookUp(table, name);
  if (number !== undefined) return number;
  throw new OperationalError('RUNTIME_CONFIG_INVALID', `${at}: ${quote(name)} is not one`);
}
