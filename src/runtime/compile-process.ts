import { quote } from '../base/escape-text.js';
import { lookUp } from '../base/look-up.js';
import { OperationalError } from '../errors/operational-error.js';
import type {
  CapabilitySet,
  RuntimeConfig,
  RuntimeLimit,
  RuntimeProcess,
} from '../oci/runtime-config.js';
import { capabilityMask } from './capabilities.js';
import { compileMemoryPolicy } from './compile-memory-policy.js';
import { normaliseInRoot } from './compile-mounts.js';
import { compileSchedulingCalls } from './compile-scheduling.js';
import { resolveImageUser, type ImageUser } from './image-user.js';
import type { LaunchPlanOptions } from './launch-plan.js';
import { LauncherStatus } from './launcher-status.js';
import { RLIMITS } from './own-limits.js';
import type { Instruction } from './plan-format.js';

/** Most bytes of arguments and environment together: Linux takes a quarter of the stack limit, 2 MiB by default. */
const MAX_TEXT_BYTES = 2_000_000;
/** Longest single argument or variable, in bytes (MAX_ARG_STRLEN of Linux, with its NUL). */
const MAX_ARGUMENT_BYTES = 131_071;
const DEFAULT_UMASK = 0o022;
/** Beside the umask: the groups stay as they are. */
const KEEP_GROUPS = 0o1000;
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

/** Who the process is, as the plan has it. */
export interface CompiledUser {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string | undefined;
}

/** The user by number, or by name of the image where the config.json has a `username`. */
export function compileUser(process: RuntimeProcess, options: LaunchPlanOptions): CompiledUser {
  const { user } = process;
  const files = { passwd: options.passwd, group: options.group };
  const named: ImageUser | undefined =
    user.username === undefined ? undefined : resolveImageUser(user.username, files);
  const uid = named?.uid ?? user.uid;
  const gid = named?.gid ?? user.gid;
  // Exactly these, the primary one among them: what the launcher had must not stay (CVE-2022-36109).
  const groups = [...new Set([gid, ...(named?.groups ?? []), ...user.additionalGids])];
  return { uid, gid, groups, home: named?.home ?? resolveImageUser(String(uid), files).home };
}

/**
 * The five sets as instructions. A name that is no capability is refused; a service, whose image nobody here can mend, starts
 * without it. What the host does not grant is the launcher's to warn of (runtime-spec config.md, "capabilities").
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID
 */
export function compileCapabilities(
  process: RuntimeProcess,
  context: { readonly options: LaunchPlanOptions; readonly warn: (warning: string) => void },
): { readonly bounding: bigint; readonly sets: readonly [bigint, bigint, bigint, bigint] } {
  const { options, warn } = context;
  const unknown = new Set<string>();
  const mask = (set: CapabilitySet): bigint =>
    capabilityMask(process.capabilities?.[set] ?? [], (name, index) => {
      if (options.standalone === true)
        refuse(`process.capabilities.${set}[${index}]: ${quote(name)} is not a capability`);
      unknown.add(name);
    });
  const bounding = mask('bounding');
  const permitted = mask('permitted');
  const effective = mask('effective') & permitted;
  const inheritable = mask('inheritable');
  const wanted = mask('ambient');
  const ambient = wanted & permitted & inheritable;
  if (ambient !== wanted) {
    warn('ambient capabilities that are not both permitted and inheritable are left out');
  }
  for (const name of unknown) warn(`capability ${quote(name)} is not known to Linux, ignoring`);
  return { bounding, sets: [effective, permitted, inheritable, ambient] };
}

/** Resource limits; each may stand once. */
export function compileLimits(limits: readonly RuntimeLimit[]): readonly Instruction[] {
  const seen = new Set<string>();
  return limits.map(({ type, soft, hard }) => {
    const number = (RLIMITS as readonly string[]).indexOf(type);
    if (number < 0) refuse(`process.rlimits: ${quote(type)} is not a resource limit`);
    if (seen.has(type)) refuse(`process.rlimits: ${quote(type)} stands twice`);
    if (soft > hard)
      refuse(`process.rlimits: the soft limit of ${quote(type)} is above the hard one`);
    seen.add(type);
    return ['RLIMIT', number, limitValue(soft), limitValue(hard)];
  });
}

/** Arguments and environment; HOME is added from the image's passwd file, as other runtimes do. */
export function compileProgram(
  process: RuntimeProcess,
  program: { readonly user: CompiledUser; readonly init: boolean },
): readonly Instruction[] {
  const env = [...lastOfEach(process.env)];
  if (!env.some((entry) => entry.startsWith('HOME='))) {
    env.push(`HOME=${program.user.home ?? (program.user.uid === 0 ? '/root' : '/')}`);
  }
  let bytes = 0;
  for (const text of [...process.args, ...env]) {
    const size = Buffer.byteLength(text);
    bytes += size + 1;
    if (size > MAX_ARGUMENT_BYTES || bytes > MAX_TEXT_BYTES) {
      throw new OperationalError(
        'LIMIT_EXCEEDED',
        `arguments and environment are larger than Linux takes (${MAX_ARGUMENT_BYTES} bytes each, ${MAX_TEXT_BYTES} in all)`,
      );
    }
  }
  const path = env.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length);
  return [
    ...process.args.map((text): Instruction => ['ARGUMENT', text]),
    ...env.map((text): Instruction => ['ENVIRONMENT', text]),
    ['EXEC', program.init ? 1 : 0, path === undefined || path === '' ? DEFAULT_PATH : path],
  ];
}

/** personality(2). */
const PERSONALITIES: Readonly<Record<string, number>> = { LINUX: 0, LINUX32: 8 };

/** Everything of the process but namespaces, privileges and program. */
export function compileAttributes(
  config: RuntimeConfig,
  options: { readonly standalone?: boolean },
): readonly Instruction[] {
  const { process, linux } = config;
  // Published images name labels, and run as services on hosts without the module; everybody else gets what he asks for.
  const whereIs = (module: string): string => (options.standalone === true ? '' : module);
  const instructions: Instruction[] = [
    ...(options.standalone === true ? compileSchedulingCalls(process) : []),
    ...compileMemoryPolicy(linux.memoryPolicy),
  ];
  if (process.oomScoreAdj !== undefined) {
    instructions.push([
      'PROC_WRITE',
      'self/oom_score_adj',
      String(process.oomScoreAdj),
      '',
      LauncherStatus.limits,
    ]);
  }
  instructions.push(...compileLimits(process.rlimits));
  if (linux.personality !== undefined) {
    const number = lookUp(PERSONALITIES, linux.personality.domain);
    if (number === undefined) refuse(`${quote(linux.personality.domain)} is not a personality`);
    const [flag] = linux.personality.flags;
    if (flag !== undefined) refuse(`linux.personality.flags: ${quote(flag)} is not one`);
    instructions.push(['PERSONALITY', number]);
  }
  instructions.push(['DIRECTORY', normaliseInRoot(process.cwd, 'process.cwd')]);
  if (process.selinuxLabel !== undefined) {
    instructions.push([
      'PROC_WRITE',
      'self/attr/exec',
      process.selinuxLabel,
      whereIs('/sys/fs/selinux'),
      LauncherStatus.label,
    ]);
  }
  if (process.apparmorProfile !== undefined) {
    const module = whereIs('/sys/kernel/security/apparmor');
    instructions.push([
      'PROC_WRITE',
      'self/attr/apparmor/exec',
      `exec ${process.apparmorProfile}`,
      module,
      LauncherStatus.label,
    ]);
  }
  return instructions;
}

/** The user, the groups, the umask and the bounding set as an instruction. */
export function compileIdentity(
  user: CompiledUser,
  bounds: {
    readonly umask: number | undefined;
    readonly bounding: bigint;
    readonly keepGroups: boolean;
  },
): Instruction {
  const groups = Buffer.alloc(user.groups.length * 4);
  for (const [index, gid] of user.groups.entries()) groups.writeUInt32LE(gid, index * 4);
  const umask = (bounds.umask ?? DEFAULT_UMASK) | (bounds.keepGroups ? KEEP_GROUPS : 0);
  return ['USER', user.uid, user.gid, groups, umask, bounds.bounding];
}

function limitValue(value: number): bigint {
  return value === Infinity ? RLIM_INFINITY : BigInt(value);
}

/** Of variables that stand twice the last one counts, as in a shell. */
function lastOfEach(env: readonly string[]): Iterable<string> {
  const byName = new Map<string, string>();
  for (const entry of env) {
    const name = /^([^=]+)=/.exec(entry)?.[1];
    if (name === undefined) refuse(`process.env: ${quote(entry)} is not NAME=VALUE`);
    byName.set(name, entry);
  }
  return byName.values();
}

function refuse(problem: string): never {
  throw new OperationalError('RUNTIME_CONFIG_INVALID', problem);
}
