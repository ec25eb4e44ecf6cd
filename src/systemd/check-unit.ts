import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { checkActivation } from './check-activation.js';
import { checkCommands } from './check-commands.js';
import { checkDirectives } from './check-directives.js';
import { checkInstall } from './check-install.js';
import { findPrivileges } from './find-privileges.js';
import { unitNameFor, type CheckUnitOptions, type UnitProblem } from './unit-problem.js';
import { formatUnit, type UnitDocument } from './unit-text.js';

/** systemd stops reading a line there (LONG_LINE_MAX). */
const MAX_LINE_LENGTH = 1_048_576;
/** A unit of published images has at most forty lines. */
const MAX_LINES = 10_000;

/** What is to be said of a unit that may be installed. */
export interface CheckedUnit {
  readonly warnings: readonly string[];
  /** What the unit may do to its host. */
  readonly notices: readonly string[];
}

/**
 * Refuses a unit that has errors, and gives back what else is to be said of it.
 *
 * @throws {@link OperationalError} UNIT_INVALID naming the first errors with their lines
 */
export function checkUnit(document: UnitDocument, options: CheckUnitOptions): CheckedUnit {
  const problems = lintUnit(document, options);
  const textsOf = (severity: UnitProblem['severity']): readonly string[] =>
    problems.filter((problem) => problem.severity === severity).map(describe);
  const errors = textsOf('error');
  if (errors.length > 0) {
    const more = errors.length - MAX_SHOWN_ERRORS;
    throw new OperationalError(
      'UNIT_INVALID',
      `the ${options.type ?? 'unit'} of ${quote(options.name)} is not acceptable: ${errors.slice(0, MAX_SHOWN_ERRORS).join('; ')}${more > 0 ? `; and ${more} more` : ''}`,
    );
  }
  return { warnings: textsOf('warning'), notices: textsOf('notice') };
}

/** Everything that is to be said of a unit, errors first. */
export function lintUnit(
  document: UnitDocument,
  options: CheckUnitOptions,
): readonly UnitProblem[] {
  const tooLarge = findSizeProblem(formatUnit(document));
  if (tooLarge !== undefined) return [tooLarge];
  const problems = [
    ...checkDirectives(document, options),
    ...checkCommands(document, unitNameFor(options)),
    ...checkActivation(document, options),
    ...checkInstall(document, options),
    ...findPrivileges(document, options),
  ];
  const order = { error: 0, warning: 1, notice: 2 } as const;
  return problems.sort((left, right) => order[left.severity] - order[right.severity]);
}

const MAX_SHOWN_ERRORS = 3;

function describe({ line, message }: UnitProblem): string {
  return line === 0 ? message : `line ${line}: ${message}`;
}

function findSizeProblem(text: string): UnitProblem | undefined {
  const lines = text.split('\n');
  const long = lines.findIndex((line) => line.length >= MAX_LINE_LENGTH);
  if (long !== -1)
    return { severity: 'error', line: long + 1, message: 'the line is longer than 1 MiB' };
  if (lines.length > MAX_LINES || text.length > MAX_LINE_LENGTH) {
    return { severity: 'error', line: 0, message: `it has more than ${MAX_LINES} lines or 1 MiB` };
  }
  return undefined;
}
