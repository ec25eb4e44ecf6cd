import { OperationalError } from '../errors/operational-error.js';
import { NAMESPACE_FLAGS, type LinuxNamespace } from './compile-namespaces.js';
import { withIdentity, type OtherIdentity } from './other-identity.js';
import {
  encodeInstruction,
  INSTRUCTIONS,
  joinPlan,
  readTextField,
  splitPlan,
  type Instruction,
  type RawInstruction,
} from './plan-format.js';
import { processInstructions } from './process-instructions.js';
import { isReplaced } from './replaced-variables.js';

/** A program to run in a container that runs already. */
export interface ExecPlanOptions {
  readonly args: readonly string[];
  /** The namespaces of the container that are not the host's, by paths to open: its mount namespace among them. */
  readonly joins: readonly { readonly type: LinuxNamespace; readonly path: string }[];
  /** The root of the container's program, by a path to open. */
  readonly root: string;
  /** Variables (`NAME=VALUE`) beside those of the container's own, or in their place. */
  readonly env: readonly string[];
  /** Who runs it, and where; as the container's own program unless given. */
  readonly identity?: OtherIdentity;
  /** Whether its standard streams are a terminal: a pipe in between would be none. */
  readonly terminal?: boolean;
}

/**
 * The plan by which the launcher runs a program in a container that runs already: it joins the namespaces, and then is
 * what the container's own plan makes its program: user, capabilities, no_new_privs, system call filter, limits,
 * working directory, environment, label.
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID if the container's plan is damaged
 */
export function compileExecPlan(launchPlan: Buffer, options: ExecPlanOptions): Buffer {
  const { args, joins, root, env } = options;
  const own = withIdentity(splitPlan(launchPlan), options.identity ?? {});
  const joined = new Set(joins.map(({ type }) => type));
  if (!joined.has('mount')) {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      "its program is not in a mount namespace of its own: refusing to run anything on the host's files",
    );
  }
  // A user's own right to the container is that of its root.
  const first = own.filter(({ op }) => op === INSTRUCTIONS.ROOT_FIRST.op);
  const encode = (instruction: Instruction): RawInstruction => encodeInstruction(instruction);
  return joinPlan([
    ...own.filter(({ op }) => op === INSTRUCTIONS.NAME.op).map(nameProgram),
    ...joins.map(({ type, path }) => encode(['JOIN', NAMESPACE_FLAGS[type], path])),
    ...first,
    ...(options.terminal === true ? [] : compileStreams(own, joined)),
    encode(['ENTER', root]),
    ...processInstructions(own, { inUser: joined.has('user') }).filter(
      (instruction) => !isReplaced(instruction, env),
    ),
    ...args.map((text) => encode(['ARGUMENT', text])),
    ...env.map((text) => encode(['ENVIRONMENT', text])),
    encode(['EXEC', 0, searchPath(own)]),
  ]);
}

/** Says in messages that it is not the container which does not start. */
function nameProgram({ body }: RawInstruction): RawInstruction {
  return encodeInstruction(['NAME', `a program in ${readTextField(body, 0)}`]);
}

/** Pipes that programs may open by path, as the container has them; emptied by the launcher's parent, if one stays. */
function compileStreams(
  own: readonly RawInstruction[],
  joined: ReadonlySet<LinuxNamespace>,
): readonly RawInstruction[] {
  const user = own.find(({ op }) => op === INSTRUCTIONS.USER.op);
  const mapped = joined.has('user') && !own.some(({ op }) => op === INSTRUCTIONS.ROOT_FIRST.op);
  if (user === undefined || !joined.has('pid') || mapped) return [];
  return [encodeInstruction(['STREAMS', user.body.readUInt32LE(0), user.body.readUInt32LE(4)])];
}

/** Where the container's program is looked for if its name has no slash. */
function searchPath(own: readonly RawInstruction[]): string {
  const exec = own.find(({ op }) => op === INSTRUCTIONS.EXEC.op);
  if (exec !== undefined) return readTextField(exec.body, 4);
  throw new OperationalError('CONTAINER_STATE_INVALID', 'the launch plan runs nothing');
}
