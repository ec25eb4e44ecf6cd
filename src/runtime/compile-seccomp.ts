import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { SeccompProfile } from '../oci/runtime-config.js';
import { exportSeccompFilter } from '../sys/seccomp.js';
import type { LaunchSummary } from './launch-plan.js';
import type { Instruction } from './plan-format.js';

/** Flags of seccomp(2); TSYNC is of no use to a single thread. */
const FLAGS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
};

/**
 * Compiles a seccomp profile to the filter that the kernel runs.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID, RUNTIME_UNSUPPORTED, LIBRARY_MISSING
 */
export function compileSeccomp(
  profile: SeccompProfile | undefined,
  warn: (warning: string) => void,
): { readonly instructions: readonly Instruction[]; readonly summary: LaunchSummary['seccomp'] } {
  if (profile === undefined) return { instructions: [], summary: 'none' };
  if (profile.listenerPath !== undefined) {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      'linux.seccomp.listenerPath is not supported',
    );
  }
  const flags = profile.flags.reduce((all, name) => {
    const flag = FLAGS[name];
    if (flag === undefined) {
      throw new OperationalError(
        'RUNTIME_UNSUPPORTED',
        `linux.seccomp.flags: ${quote(name)} is not supported`,
      );
    }
    return all | flag;
  }, 0);
  const { filter, unknownCalls } = exportSeccompFilter(profile);
  if (unknownCalls.length > 0) {
    warn(
      `seccomp: this libseccomp does not know ${unknownCalls.join(', ')}; the default action holds`,
    );
  }
  return {
    instructions: [['SECCOMP', flags, filter]],
    summary: { defaultAction: profile.defaultAction, rules: profile.syscalls.length },
  };
}
