import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { checkCommands } from './check-commands.js';
import { checkDirectives } from './check-directives.js';
import { checkInstall } from './check-install.js';
import { findPrivileges } from './find-privileges.js';
import type { CheckUnitOptions, UnitProblem } from './unit-problem.js';
import { parseUnit } from './unit-text.js';

/** systemd stops reading a line there (LONG_LINE_MAX). */
const MAX_LINE_LENGTH = 1_048_576;
/** A unit of published images has at most forty lines. */
const MAX_LINES = 10_000;

/** Everything that is to be said of a unit, errors first. */
export function checkUnit(text: string, options: CheckUnitOptions): readonly UnitProblem[] {
  const tooLarge = findSizeProblem(text);
  if (tooLarge !== undefined) return [tooLarge];
  const document = parseUnit(text);
  const problems = [
    ...checkDirectives(document, options),
    ...checkCommands(document, options.unit),
    ...checkInstall(document, options),
    ...findPrivileges(document, options),
  ];
  const order = { error: 0, warning: 1, notice: 2 } as const;
  return problems.sort((left, right) => order[left.severity] - order[right.severity]);
}

/**
 * Refuses a unit that has errors, and gives back what else is to be said of it.
 *
 * @throws {@link OperationalError} UNIT_INVALID naming the first errors with their lines
 */
export function assertUnit(text: string, options: CheckUnitOptions): readonly UnitProblem[] {
  const problems = checkUnit(text, options);
  const errors = problems.filter((problem) => problem.severity === 'error');
  if (errors.length === 0) return problems;
  const shown = errors.slice(0, MAX_SHOWN_ERRORS).map(describe).join('; ');
  const more =
    errors.length > MAX_SHOWN_ERRORS ? `; and ${errors.length - MAX_SHOWN_ERRORS} more` : '';
  throw new OperationalError(
    'UNIT_INVALID',
    `${quote(options.unit)} is not acceptable: ${shown}${more}`,
  );
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
