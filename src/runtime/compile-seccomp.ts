import { quote } from '../base/escape-text.js';
import { lookUp } from '../base/look-up.js';
import { OperationalError } from '../errors/operational-error.js';
import type { SeccompProfile } from '../oci/runtime-config.js';
import { seccompArchitecture } from '../oci/seccomp-architectures.js';
import { exportSeccompFilter } from '../sys/seccomp.js';
import type { LaunchSummary } from './launch-plan.js';
import type { Instruction } from './plan-format.js';

/** SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (5.19). */
const WAIT_KILLABLE = 0x20;

/** Flags of seccomp(2); TSYNC is of no use to a single thread. */
const FLAGS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: WAIT_KILLABLE,
};

/** Flags of a filter that a config.json may have. */
export const SECCOMP_FLAGS = Object.keys(FLAGS);

/** Asks the kernel for the descriptor by which somebody else answers for calls (SCMP_ACT_NOTIFY). */
const NEW_LISTENER = 8;

/**
 * Compiles a seccomp profile to the filter that the kernel runs.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID, RUNTIME_UNSUPPORTED, LIBRARY_MISSING
 */
export function compileSeccomp(
  profile: SeccompProfile | undefined,
  context: {
    readonly standalone?: boolean;
    /** Of the machine that the filter is for, in Go's words: this one unless given. */
    readonly architecture?: string | undefined;
    readonly warn: (warning: string) => void;
  },
): { readonly instructions: readonly Instruction[]; readonly summary: LaunchSummary['seccomp'] } {
  if (profile === undefined) return { instructions: [], summary: 'none' };
  checkListener(profile, context);
  checkErrno(profile);
  const flags = profile.flags.reduce(
    (all, name) => {
      const flag = lookUp(FLAGS, name);
      if (flag === undefined) {
        throw new OperationalError(
          'RUNTIME_UNSUPPORTED',
          `linux.seccomp.flags: ${quote(name)} is not supported`,
        );
      }
      return all | flag;
    },
    notifies(profile) ? NEW_LISTENER : 0,
  );
  // The kernel refuses it where nobody is asked: it says how the one who asks is waited for.
  const meant = notifies(profile) ? flags : flags & ~WAIT_KILLABLE;
  const { filter, unknownCalls } = exportSeccompFilter({
    ...profile,
    native: nativeOf(context.architecture),
  });
  if (unknownCalls.length > 0) {
    if (context.standalone === true) refuseOpen(profile, unknownCalls);
    context.warn(
      `seccomp: this libseccomp does not know ${unknownCalls.join(', ')}; the default action holds`,
    );
  }
  return {
    instructions: [['SECCOMP', meant, filter]],
    summary: { defaultAction: profile.defaultAction, rules: profile.syscalls.length },
  };
}

function nativeOf(architecture: string | undefined): string | undefined {
  if (architecture === undefined) return undefined;
  const native = seccompArchitecture(architecture);
  if (native !== undefined) return native;
  throw new OperationalError(
    'RUNTIME_UNSUPPORTED',
    `linux.seccomp: no filter can be compiled for ${quote(architecture)}`,
  );
}

/** Actions by which a call is made. */
const PERMISSIVE: ReadonlySet<string> = new Set(['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG']);

/** A call that nobody here has a number for, and the kernel may, would be made although the document forbids it. */
function refuseOpen(profile: SeccompProfile, unknownCalls: readonly string[]): void {
  if (!PERMISSIVE.has(profile.defaultAction)) return;
  for (const [index, { names, action }] of profile.syscalls.entries()) {
    const at = names.findIndex((name) => unknownCalls.includes(name));
    if (at < 0 || PERMISSIVE.has(action)) continue;
    throw new OperationalError(
      'RUNTIME_CONFIG_INVALID',
      `linux.seccomp.syscalls[${index}].names[${at}]: ${quote(names[at] ?? '')} is not a system call that libseccomp knows, and would be allowed`,
    );
  }
}

const NOTIFY = 'SCMP_ACT_NOTIFY';

function notifies({ syscalls }: SeccompProfile): boolean {
  return syscalls.some(({ action }) => action === NOTIFY);
}

/** Somebody has to answer, before the first call that is asked about; and write(2) hands the descriptor over. */
function checkListener(
  profile: SeccompProfile,
  { standalone }: { readonly standalone?: boolean },
): void {
  const { listenerPath, listenerMetadata, defaultAction, syscalls } = profile;
  const refuse = (problem: string): never => {
    throw new OperationalError('RUNTIME_CONFIG_INVALID', `linux.seccomp: ${problem}`);
  };
  if (listenerPath !== undefined && standalone !== true) {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      'linux.seccomp.listenerPath is not supported for a service',
    );
  }
  if (listenerPath !== undefined && !listenerPath.startsWith('/')) {
    refuse('listenerPath is not an absolute path');
  }
  if (listenerMetadata !== undefined && listenerPath === undefined) {
    refuse('listenerMetadata needs a listenerPath');
  }
  if (notifies(profile) && listenerPath === undefined) {
    refuse(`${NOTIFY} needs a listenerPath`);
  }
  if (defaultAction === NOTIFY) refuse(`${NOTIFY} cannot be the default action`);
  const asked = syscalls.find(({ action, names }) => action === NOTIFY && names.includes('write'));
  if (asked !== undefined) refuse(`${NOTIFY} cannot be asked for write, which the runtime needs`);
}

/** config-linux.md, "seccomp": an errno for an action that has none is an error. */
function checkErrno({ syscalls, defaultAction, defaultErrnoRet }: SeccompProfile): void {
  const hasErrno = (action: string): boolean =>
    action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';
  const wrong = syscalls.find(
    ({ action, errnoRet }) => errnoRet !== undefined && !hasErrno(action),
  );
  const action =
    defaultErrnoRet !== undefined && !hasErrno(defaultAction) ? defaultAction : wrong?.action;
  if (action === undefined) return;
  throw new OperationalError(
    'RUNTIME_CONFIG_INVALID',
    `linux.seccomp: ${quote(action)} gives no errno`,
  );
}
