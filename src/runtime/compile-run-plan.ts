import { encodeInstruction, INSTRUCTIONS, joinPlan, splitPlan } from './plan-format.js';

/**
 * The plan of a container with another program in place of its own: the same namespaces, mounts, user, rights and
 * environment. That config.json changed since is not told: it is the administrator who is asking.
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID if the container's plan is damaged
 */
export function compileRunPlan(launchPlan: Buffer, args: readonly string[]): Buffer {
  const own = splitPlan(launchPlan);
  const dropped = new Set<number>([
    INSTRUCTIONS.STAMP.op,
    INSTRUCTIONS.PID_FILE.op,
    INSTRUCTIONS.ARGUMENT.op,
  ]);
  const kept = own.filter(({ op }) => !dropped.has(op));
  const at = kept.findIndex(
    ({ op }) => op === INSTRUCTIONS.ENVIRONMENT.op || op === INSTRUCTIONS.EXEC.op,
  );
  return joinPlan([
    ...kept.slice(0, at),
    ...args.map((text) => encodeInstruction(['ARGUMENT', text])),
    ...kept.slice(at),
  ]);
}
