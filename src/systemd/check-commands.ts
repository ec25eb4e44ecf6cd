import { quote } from '../base/escape-text.js';
import { isCommand } from './directives.js';
import type { UnitProblem } from './unit-problem.js';
import { unitTypeOf, type UnitName } from './unit-name.js';
import { getValue, listAssignments, type UnitDocument } from './unit-text.js';

/** Prefixes of a command that change how it runs (systemd.service(5), "Command lines"). */
const PREFIXES = /^[-@:+!|]*/;

/** Whether a service has something to run, and whether it can be run: what makes systemd refuse the unit. */
export function checkCommands(document: UnitDocument, unit: UnitName): readonly UnitProblem[] {
  return [
    ...(unitTypeOf(unit) === 'service' ? checkStarts(document) : []),
    ...listAssignments(document).flatMap(({ key, value, line }): UnitProblem[] => {
      if (!isCommand(key) || value === '') return [];
      const problem = findCommandProblem(value);
      return problem === undefined
        ? []
        : [{ severity: 'error', line, message: `${key}=: ${problem}` }];
    }),
  ];
}

function checkStarts(document: UnitDocument): readonly UnitProblem[] {
  const starts = commandsOf(document, 'ExecStart');
  const type = getValue(document, 'Service', 'Type');
  const problems: UnitProblem[] = [];
  if (starts.length === 0 && !isOneShotWithoutStart(document, type)) {
    const wasReset = listAssignments(document).some(
      ({ key, value }) => key === 'ExecStart' && value !== '',
    );
    const why = wasReset
      ? 'its last ExecStart= is empty and forgets the others'
      : 'it has no ExecStart=';
    problems.push({ severity: 'error', line: 0, message: `the service runs nothing: ${why}` });
  }
  if (starts.length > 1 && type !== 'oneshot') {
    const message = 'more than one ExecStart= needs Type=oneshot';
    problems.push({ severity: 'error', line: starts[1]?.line ?? 0, message });
  }
  return problems;
}

interface Command {
  readonly value: string;
  readonly line: number;
}

function commandsOf(document: UnitDocument, key: string): readonly Command[] {
  let commands: Command[] = [];
  for (const assignment of listAssignments(document)) {
    if (assignment.section !== 'Service' || assignment.key !== key) continue;
    if (assignment.value === '') commands = [];
    else commands.push({ value: assignment.value, line: assignment.line });
  }
  return commands;
}

/** systemd takes a oneshot service that only stops something, if it remains after its start. */
function isOneShotWithoutStart(document: UnitDocument, type: string | undefined): boolean {
  return (
    (type ?? 'oneshot') === 'oneshot' &&
    /^(?:1|yes|y|true|t|on)$/i.test(getValue(document, 'Service', 'RemainAfterExit') ?? '') &&
    commandsOf(document, 'ExecStop').length > 0
  );
}

function findCommandProblem(value: string): string | undefined {
  const path = value.replace(PREFIXES, '').split(/[ \t]/)[0] ?? '';
  const unquoted = path.replace(/^["']|["']$/g, '');
  if (unquoted === '') return `${quote(value)} names no program`;
  // A name without a slash is looked for in a fixed search path (from 239 on); a specifier may stand for a path.
  if (unquoted.includes('/') && !unquoted.startsWith('/') && !unquoted.startsWith('%')) {
    return `${quote(unquoted)} is not an absolute path`;
  }
  if (unquoted.endsWith('/')) return `${quote(unquoted)} is a directory`;
  if (unquoted.split('/').includes('..')) return `${quote(unquoted)} is not a normalised path`;
  return undefined;
}
