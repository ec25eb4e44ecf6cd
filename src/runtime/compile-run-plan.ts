import { withIdentity, type OtherIdentity } from './other-identity.js';
import { encodeInstruction, INSTRUCTIONS, joinPlan, splitPlan } from './plan-format.js';
import { isReplaced } from './replaced-variables.js';

/** A program to run in the place of a container's own. */
export interface RunPlanOptions {
  /** None: the container's own program. */
  readonly args: readonly string[];
  /** Variables (`NAME=VALUE`) beside those of the container's own, or in their place. */
  readonly env: readonly string[];
  readonly identity: OtherIdentity;
}

/**
 * The plan of a container with another program in place of its own, or the same where there are no `args`: the same namespaces,
 * mounts, rights and environment but for `env`, and the same user unless another one is given. That config.json changed since is not
 * told: it is the administrator who is asking.
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID if the container's plan is damaged
 */
export function compileRunPlan(
  launchPlan: Buffer,
  { args, env, identity }: RunPlanOptions,
): Buffer {
  const own = withIdentity(splitPlan(launchPlan), identity);
  const dropped = new Set<number>([
    INSTRUCTIONS.STAMP.op,
    INSTRUCTIONS.PID_FILE.op,
    ...(args.length === 0 ? [] : [INSTRUCTIONS.ARGUMENT.op]),
  ]);
  const kept = own.filter(
    (instruction) => !dropped.has(instruction.op) && !isReplaced(instruction, env),
  );
  const at = kept.findIndex(
    ({ op }) => op === INSTRUCTIONS.ENVIRONMENT.op || op === INSTRUCTIONS.EXEC.op,
  );
  return joinPlan([
    ...kept.slice(0, at),
    ...args.map((text) => encodeInstruction(['ARGUMENT', text])),
    ...env.map((text) => encodeInstruction(['ENVIRONMENT', text])),
    ...kept.slice(at),
  ]);
}
