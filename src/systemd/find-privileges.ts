import { quote } from '../base/escape-text.js';
import { isCommand } from './directives.js';
import type { CheckUnitOptions, UnitProblem } from './unit-problem.js';
import { isNameOf, unitNameOf } from './unit-name.js';
import { listAssignments, type UnitAssignment, type UnitDocument } from './unit-text.js';

const ACTIONS = /^(?:FailureAction|SuccessAction|StartLimitAction|JobTimeoutAction)$/;
const DEPENDENCIES =
  /^(?:Conflicts|OnFailure|OnSuccess|PropagatesStopTo|PropagatesReloadTo|BindsTo|PartOf|JoinsNamespaceOf)$/;

/**
 * What a unit may do to its host, in words for the person who decides about the image (`--plan`) and for the comparison
 * at an update: commands outside of the container, what it reads and loads there, what it does to other units.
 */
export function findPrivileges(
  document: UnitDocument,
  options: CheckUnitOptions,
): readonly UnitProblem[] {
  return listAssignments(document).flatMap((assignment): UnitProblem[] => {
    const message = describe(assignment, options);
    return message === undefined ? [] : [{ severity: 'notice', line: assignment.line, message }];
  });
}

function describe(
  { section, key, value }: UnitAssignment,
  { name, command }: CheckUnitOptions,
): string | undefined {
  if (value === '') return undefined;
  if (isCommand(key)) {
    // The launcher on another plan, or with another command after a `;`, is none of the container's.
    return value === command ? undefined : describeCommand(key, value);
  }
  if (
    key === 'Environment' &&
    /(?:^|[\s"'])(?:LD_[A-Z_]+|GCONV_PATH|MALLOC_[A-Z_]+)=/.test(value)
  ) {
    return `Environment= sets a variable that decides what code is loaded: ${quote(value)}`;
  }
  if (key === 'EnvironmentFile') return `takes environment variables from ${quote(value)}`;
  if (key === 'PassEnvironment') return `takes variables of the service manager: ${quote(value)}`;
  if (/^Root(?:Directory|Image|MStack)$/.test(key))
    return `runs its commands below ${quote(value)}`;
  if (/^Bind(?:ReadOnly)?Paths$/.test(key)) return `binds ${quote(value)}`;
  if (/^(?:Load|Set|Import)Credential(?:Encrypted)?$/.test(key)) return `${key}= ${quote(value)}`;
  if (section === 'Service' && key === 'Sockets') {
    const own = unitNameOf(name, 'socket');
    const isOwn = value.split(/[ \t]+/).every((word) => isNameOf(word, own));
    return isOwn ? undefined : `is given sockets of other units: ${quote(value)}`;
  }
  if (section === 'Socket' && key.startsWith('Listen'))
    return `listens at ${quote(value)} (${key}=)`;
  if (section === 'Socket' && key === 'Symlinks')
    return `makes links to its socket: ${quote(value)}`;
  if (key === 'WakeSystem' && /^(?:1|yes|y|true|t|on)$/i.test(value))
    return 'wakes the host from sleep';
  if (ACTIONS.test(key) && value !== 'none') return `${key}=${value}: it can make the host do this`;
  if (key === 'DefaultDependencies' && /^(?:0|no|n|false|f|off)$/i.test(value)) {
    return 'starts early in the boot and stops late (DefaultDependencies=no)';
  }
  if (section === 'Unit' && DEPENDENCIES.test(key) && value !== 'shutdown.target') {
    return `${key}= affects other units: ${quote(value)}`;
  }
  return undefined;
}

function describeCommand(key: string, value: string): string {
  const prefixes = /^[-@:+!|]*/.exec(value)?.[0] ?? '';
  const all = /[+!]/.test(prefixes) ? ' with all privileges' : '';
  return `runs on the host${all} (${key}=): ${quote(value.slice(prefixes.length))}`;
}
