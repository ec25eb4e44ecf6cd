import { withIdentity, type OtherIdentity } from './other-identity.js';
import { encodeInstruction, INSTRUCTIONS, joinPlan, splitPlan } from './plan-format.js';

/**
 * The plan of a container with another program in place of its own, or the same where there are no `args`: the same namespaces,
 * mounts, rights and environment, and the same user unless another one is given. That config.json changed since is not told: it is the administrator who is asking.
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID if the container's plan is damaged
 */
export function compileRunPlan(
  launchPlan: Buffer,
  { args, identity }: { readonly args: readonly string[]; readonly identity: OtherIdentity },
): Buffer {
  const own = withIdentity(splitPlan(launchPlan), identity);
  const dropped = new Set<number>([
    INSTRUCTIONS.STAMP.op,
    INSTRUCTIONS.PID_FILE.op,
    ...(args.length === 0 ? [] : [INSTRUCTIONS.ARGUMENT.op]),
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
