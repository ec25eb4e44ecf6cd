import { compileLaunchPlan, PIVOT_BY_CHROOT } from '../runtime/compile-launch-plan.js';
import { NAMESPACE_FLAGS, type LinuxNamespace } from '../runtime/compile-namespaces.js';
import type { LaunchConfinement } from '../runtime/confined-caller.js';
import type { LaunchPlanOptions } from '../runtime/launch-plan.js';
import {
  encodeInstruction,
  INSTRUCTIONS,
  joinPlan,
  readTextField,
  splitPlan,
  type Instruction,
  type RawInstruction,
} from '../runtime/plan-format.js';
import { NAMESPACE_FILES } from '../runtime/own-namespaces.js';
import { processInstructions } from '../runtime/process-instructions.js';
import type { RuntimeConfig } from '../oci/runtime-config.js';
import type { LaunchDescriptors } from './launch.js';
import { withoutCopyUp } from './tmpfs-content.js';

const ROOT_READ_ONLY = 1;
const SECCOMP_NEW_LISTENER = 8;

/** What a plan of the command line has beside what config.json says. */
export interface ContainerPlanOptions extends LaunchDescriptors {
  readonly name: string;
  readonly rootfs: string;
  /** Where the root of a container without a mount namespace is put. */
  readonly hostPlace: string;
  readonly cgroupVersion: 1 | 2;
  /** Whether the launcher leaves the program to whoever adopts orphans. */
  readonly detach: boolean;
  /** The pipe that the program waits at; it begins at once if there is none. */
  readonly startPipe: string | undefined;
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  readonly confined: LaunchConfinement | undefined;
  readonly passwd: string | undefined;
  readonly group: string | undefined;
  readonly onWarning: (warning: string) => void;
}

/**
 * The plan that creates a container for a command line: the one of a service with stops in between, at which the runtime
 * does its part. The root becomes read-only at the end, since mount points are made in it before.
 *
 * @throws {@link OperationalError} as {@link compileLaunchPlan}
 */
export function compileContainerPlan(config: RuntimeConfig, options: ContainerPlanOptions): Buffer {
  const compiled = compile(config, options);
  const plan: RawInstruction[] = [];
  const filters: RawInstruction[] = [];
  let isUser = false;
  for (const instruction of compiled) {
    const { op, body } = instruction;
    if (op === INSTRUCTIONS.KEYRING.op && options.noNewKeyring) continue;
    if (op === INSTRUCTIONS.EXEC.op) {
      if (options.startPipe !== undefined) {
        plan.push(encode(['START', options.startPipe, readTextField(body, 4)]));
      }
      plan.push(...filters);
    }
    if (op === INSTRUCTIONS.PIVOT.op) plan.push(...beforePivot(config));
    isUser ||= op === INSTRUCTIONS.USER.op;
    // A filter that comes last is not to see us wait.
    if (op === INSTRUCTIONS.SECCOMP.op && isUser && !hasListener(body)) filters.push(instruction);
    else plan.push(change(instruction, options));
    if (op === INSTRUCTIONS.NAME.op) plan.push(controlOf(options));
  }
  return joinPlan(plan);
}

/** A program to run in a container that is there. */
export interface JoiningPlanOptions extends ContainerPlanOptions {
  /** The container's namespaces that are not the runtime's own. */
  readonly namespaces: readonly LinuxNamespace[];
  /** Whether the program's terminal is standard input already. */
  readonly terminalIsInput?: boolean;
}

/**
 * The plan for `exec`: joins the container's namespaces and becomes what `process` of the document says.
 *
 * @throws {@link OperationalError} as {@link compileLaunchPlan}
 */
export function compileJoiningPlan(config: RuntimeConfig, options: JoiningPlanOptions): Buffer {
  const compiled = compile(config, options);
  const inUser = options.namespaces.includes('user');
  const isProgram = ({ op }: RawInstruction): boolean =>
    op === INSTRUCTIONS.ARGUMENT.op || op === INSTRUCTIONS.EXEC.op;
  return joinPlan([
    ...compiled.filter(({ op }) => op === INSTRUCTIONS.NAME.op),
    controlOf(options),
    ...enterContainer(options),
    ...terminalOf(config, options.terminalIsInput === true ? 'input' : 'new'),
    ...processInstructions(compiled, { inUser }).filter(
      ({ op }) => !(op === INSTRUCTIONS.KEYRING.op && options.noNewKeyring),
    ),
    ...compiled.filter(isProgram),
  ]);
}

/** The plan for a hook that runs in the container's namespaces, with the root that its process has by then. */
export function compileHookPlan(
  hook: { readonly args: readonly string[]; readonly env: readonly string[] },
  options: Pick<JoiningPlanOptions, 'name' | 'namespaces' | 'process' | 'confined'>,
): Buffer {
  return joinPlan([
    encode(['NAME', options.name]),
    ...enterContainer(options),
    ...hook.args.map((text) => encode(['ARGUMENT', text])),
    ...hook.env.map((text) => encode(['ENVIRONMENT', text])),
    encode(['EXEC', 0, '/usr/sbin:/usr/bin:/sbin:/bin']),
  ]);
}

function compile(config: RuntimeConfig, options: ContainerPlanOptions): readonly RawInstruction[] {
  const planOptions: LaunchPlanOptions = {
    name: options.name,
    rootfs: options.rootfs,
    hostPlace: options.hostPlace,
    standalone: true,
    credentials: false,
    optionalBindSources: [],
    cgroupVersion: options.cgroupVersion,
    ...(options.confined === undefined ? {} : { confined: options.confined }),
    ...(options.passwd === undefined ? {} : { passwd: options.passwd }),
    ...(options.group === undefined ? {} : { group: options.group }),
  };
  const { plan, warnings } = compileLaunchPlan(
    {
      ...withoutCopyUp(config),
      root: { ...config.root, path: options.rootfs },
      hooks: [],
      process: { ...config.process, terminal: false },
      linux: { ...config.linux, cgroupsPath: undefined },
    },
    planOptions,
  );
  for (const warning of warnings) options.onWarning(warning);
  return splitPlan(plan);
}

function encode(instruction: Instruction): RawInstruction {
  return encodeInstruction(instruction);
}

function controlOf(options: LaunchDescriptors & { readonly detach: boolean }): RawInstruction {
  return encode(['CONTROL', options.control, options.kept, options.detach ? 1 : 0]);
}

function beforePivot(config: RuntimeConfig): readonly RawInstruction[] {
  return [
    ...terminalOf(config, 'new at /dev/console'),
    encode(['SYNC', 'mounted']),
    ...(config.root.readonly ? [encode(['READ_ONLY_MOUNT', '/'])] : []),
  ];
}

/** The last field of TERMINAL. */
const TERMINAL_KINDS = { new: 0, 'new at /dev/console': 1, input: 2 } as const;

/** A terminal for the program. */
function terminalOf(
  config: RuntimeConfig,
  kind: keyof typeof TERMINAL_KINDS,
): readonly RawInstruction[] {
  const { terminal, consoleSize, user } = config.process;
  if (!terminal) return [];
  const { height, width } = consoleSize;
  return [encode(['TERMINAL', user.uid, height, width, TERMINAL_KINDS[kind]])];
}

function enterContainer(
  options: Pick<JoiningPlanOptions, 'namespaces' | 'process' | 'confined'>,
): readonly RawInstruction[] {
  const path = `/proc/self/fd/${options.process}`;
  // Its mounts are where its root is, also where they are the runtime's own.
  const types = [...new Set<LinuxNamespace>(['mount', ...options.namespaces])];
  return [
    ...types.map((type) =>
      encode(['JOIN', NAMESPACE_FLAGS[type], `${path}/ns/${NAMESPACE_FILES[type]}`]),
    ),
    encode(['ENTER', `${path}/root`]),
    ...(options.confined?.kind === 'user' ? [encode(['ROOT_FIRST'])] : []),
  ];
}

function change(instruction: RawInstruction, options: ContainerPlanOptions): RawInstruction {
  const { op, body } = instruction;
  if (op === INSTRUCTIONS.ROOT.op)
    return { op, body: withFlags(body, (flags) => flags & ~ROOT_READ_ONLY) };
  if (op === INSTRUCTIONS.PIVOT.op && options.noPivot) {
    return { op, body: withFlags(body, (flags) => flags | PIVOT_BY_CHROOT) };
  }
  return instruction;
}

/** A copy with its last field, a number of 32 bits, changed. */
function withFlags(body: Buffer, flags: (before: number) => number): Buffer {
  const changed = Buffer.from(body);
  const at = changed.length - 4;
  changed.writeUInt32LE(flags(changed.readUInt32LE(at)) >>> 0, at);
  return changed;
}

function hasListener(body: Buffer): boolean {
  return (body.readUInt32LE(0) & SECCOMP_NEW_LISTENER) !== 0;
}
