import {
  INSTRUCTIONS,
  readTextField,
  type InstructionName,
  type RawInstruction,
} from './plan-format.js';

/** What of a container's plan makes its process what it is; all else made the container, or is the program. */
const OF_THE_PROCESS: readonly InstructionName[] = [
  'PROC_WRITE',
  'KEYRING',
  'RLIMIT',
  'PERSONALITY',
  'SCHEDULE',
  'IO_PRIORITY',
  'AFFINITY',
  'MEMORY_POLICY',
  'DIRECTORY',
  'SECCOMP',
  'USER',
  'CAPABILITIES',
  'ENVIRONMENT',
];
const KEPT: ReadonlySet<number> = new Set(OF_THE_PROCESS.map((name) => INSTRUCTIONS[name].op));

/**
 * The instructions of a container's plan for one more process in it. Parameters of the kernel are set already; the host
 * root's files in /proc are not to be written from a user namespace (`inUser`).
 */
export function processInstructions(
  plan: readonly RawInstruction[],
  { inUser }: { readonly inUser: boolean },
): readonly RawInstruction[] {
  return plan.filter(({ op, body }) => {
    if (op !== INSTRUCTIONS.PROC_WRITE.op) return KEPT.has(op);
    const path = readTextField(body, 0);
    return path.startsWith('self/') && !(path === 'self/oom_score_adj' && inUser);
  });
}
