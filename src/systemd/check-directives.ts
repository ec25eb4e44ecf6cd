import { quote } from '../base/escape-text.js';
import { lookUp } from '../base/look-up.js';
import { suggestName } from '../base/suggest-name.js';
import type { UnitLine } from '../base/unit-lines.js';
import type { CheckUnitOptions, UnitProblem } from './unit-problem.js';
import { directivesOf, isCommand, knownSections } from './directives.js';
import type { UnitType } from './unit-name.js';
import type { UnitDocument } from './unit-text.js';

/** The section of a type's own; units of other types have none. */
const OWN_SECTION: Readonly<Partial<Record<UnitType, string>>> = {
  service: 'Service',
  socket: 'Socket',
  timer: 'Timer',
  path: 'Path',
  mount: 'Mount',
  automount: 'Automount',
  swap: 'Swap',
  slice: 'Slice',
  scope: 'Scope',
};

/**
 * Values of directives that name one of a few things; systemd passes over others with a warning and takes its default.
 * `Type` and `User` are errors, because then another service runs than the one that was meant.
 */
const ENUMERATIONS: Readonly<Record<string, readonly string[]>> = {
  Type: ['simple', 'exec', 'forking', 'oneshot', 'dbus', 'notify', 'notify-reload', 'idle'],
  Restart: ['no', 'on-success', 'on-failure', 'on-abnormal', 'on-watchdog', 'on-abort', 'always'],
  NotifyAccess: ['none', 'all', 'exec', 'main'],
  KillMode: ['control-group', 'mixed', 'process', 'none'],
  ExitType: ['main', 'cgroup'],
  RestartMode: ['normal', 'direct', 'debug'],
  OOMPolicy: ['continue', 'stop', 'kill'],
  DevicePolicy: ['auto', 'closed', 'strict'],
  TimeoutStartFailureMode: ['terminate', 'abort', 'kill'],
  TimeoutStopFailureMode: ['terminate', 'abort', 'kill'],
};

/** The newest systemd whose directives are listed; a later one may have more. */
const NEWEST_KNOWN = 262;

/** Names that systemd 252 had given up already (src/core/load-fragment-gperf.gperf.in, `DISABLED_LEGACY`). */
const REMOVED: ReadonlySet<string> = new Set([
  'BusPolicy',
  'Capabilities',
  'FsckPassNo',
  'IgnoreOnSnapshot',
  'NetClass',
  'RequiresOverridable',
  'RequisiteOverridable',
  'SysVStartPriority',
  'TCPWrapName',
]);

/** Letters of systemd.unit(5), "Specifiers", and `%` itself. */
const SPECIFIERS = '%aAbBCdDEfgGhHiIjJlLmMnNopPqsStTuUvVwWyY';

const YES = /^(?:1|yes|y|true|t|on)$/i;

/** Lines, sections, names and values of all directives. */
export function checkDirectives(
  document: UnitDocument,
  options: CheckUnitOptions,
): readonly UnitProblem[] {
  return document.lines.flatMap((line) => checkLine(line, options));
}

function checkLine(line: UnitLine, options: CheckUnitOptions): readonly UnitProblem[] {
  const problem = (severity: UnitProblem['severity'], message: string): UnitProblem[] => [
    { severity, line: line.line, message },
  ];
  if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(line.raw)) {
    return problem('error', 'it has a control character');
  }
  switch (line.kind) {
    case 'blank':
    case 'comment':
      return [];
    case 'malformed':
      return problem('error', `${quote(line.raw.trim())} is neither a section nor a directive`);
    case 'section':
      return isExtension(line.section) || sectionsOf(options).includes(line.section)
        ? []
        : problem('error', `[${quote(line.section)}] is no section of this kind of unit`);
    case 'assignment':
      return checkAssignment(line, options);
  }
}

function checkAssignment(
  line: Extract<UnitLine, { kind: 'assignment' }>,
  options: CheckUnitOptions,
): readonly UnitProblem[] {
  const { section, key, value } = line;
  const problem = (severity: UnitProblem['severity'], message: string): UnitProblem[] => [
    { severity, line: line.line, message },
  ];
  if (section === '') return problem('error', `${quote(key)} stands before the first section`);
  // An unknown section has been reported already, by its header.
  if (isExtension(section) || isExtension(key) || !sectionsOf(options).includes(section)) return [];
  const directive = directivesOf(section)?.get(key);
  if (directive === undefined) return unknownDirective(line, options);
  const version = options.systemdVersion ?? Number.POSITIVE_INFINITY;
  if (directive.since > version) {
    return problem(
      'warning',
      `${key}= may be newer than systemd ${version}, which then passes over it`,
    );
  }
  const specifier = findUnknownSpecifier(value);
  if (specifier !== undefined && isCommand(key)) {
    return problem(
      'error',
      `${key}= has ${quote(specifier)}, which is no specifier; '%%' gives a percent sign`,
    );
  }
  if (key === 'RefuseManualStop' && YES.test(value))
    return problem(
      'error',
      `${key}=${value}: nobody could stop it, to update or remove it neither`,
    );
  const wrong = findWrongValue(directive.kind, key, value);
  if (wrong === undefined) return [];
  return problem(
    key === 'Type' || key === 'User' || key === 'Group' ? 'error' : 'warning',
    `${key}= ${wrong}, got ${quote(value)}`,
  );
}

/** A command line with one keeps the unit from being loaded; a `%` at its end is taken as it stands. */
function findUnknownSpecifier(value: string): string | undefined {
  for (const [specifier] of value.matchAll(/%./gu)) {
    if (!SPECIFIERS.includes(specifier.slice(1))) return specifier;
  }
  return undefined;
}

function unknownDirective(
  line: Extract<UnitLine, { kind: 'assignment' }>,
  { systemdVersion = NEWEST_KNOWN }: CheckUnitOptions,
): readonly UnitProblem[] {
  const { section, key } = line;
  const elsewhere = knownSections().find((other) => directivesOf(other)?.has(key) === true);
  if (elsewhere !== undefined) {
    // Common in published units (StartLimit… moved to [Unit]); systemd warns and goes on.
    const message = `${key}= belongs into [${elsewhere}], systemd passes over it in [${section}]`;
    return [{ severity: 'warning', line: line.line, message }];
  }
  if (REMOVED.has(key)) {
    const message = `systemd no longer knows ${key}= and passes over it`;
    return [{ severity: 'warning', line: line.line, message }];
  }
  const meant = suggestName(key, [...(directivesOf(section)?.keys() ?? [])]);
  const hint = meant === undefined ? '' : `; did you mean ${meant}=?`;
  if (systemdVersion > NEWEST_KNOWN) {
    const message = `berth knows no directive ${quote(key)} in [${section}]${hint}; systemd ${systemdVersion} may`;
    return [{ severity: 'warning', line: line.line, message }];
  }
  const message = `there is no directive ${quote(key)} in [${section}]${hint}`;
  return [{ severity: 'error', line: line.line, message }];
}

function findWrongValue(kind: string, key: string, value: string): string | undefined {
  if (value === '' || value.includes('%')) return undefined;
  const allowed = lookUp(ENUMERATIONS, key);
  if (allowed !== undefined && !allowed.includes(value)) {
    return `expects one of ${allowed.join(', ')}`;
  }
  if ((key === 'User' || key === 'Group') && !isUserName(value)) {
    return 'expects a name or number of a user';
  }
  if (kind === 'boolean' && !/^(?:1|0|yes|no|y|n|true|false|t|f|on|off)$/i.test(value)) {
    return 'expects yes or no';
  }
  return kind === 'seconds' && !isTimeSpan(value) ? 'expects a time span' : undefined;
}

/**
 * The strict rules of systemd (src/basic/user-util.c, `valid_user_group_name`). It takes more with a warning, and once
 * took `0day` for nobody in particular and ran the service as root (CVE-2017-1000082).
 */
function isUserName(value: string): boolean {
  return (
    /^[A-Za-z_][A-Za-z0-9_-]{0,30}$/.test(value) ||
    (/^(?:0|[1-9]\d{0,9})$/.test(value) && Number(value) < 2 ** 32 - 1 && Number(value) !== 65_535)
  );
}

/** systemd.time(7), "Parsing Time Spans". */
function isTimeSpan(value: string): boolean {
  const unit =
    'usec|us|µs|msec|ms|seconds|second|sec|s|minutes|minute|min|m|months|month|M|hours|hour|hr|h|days|day|d|weeks|week|w|years|year|y';
  return new RegExp(`^(?:infinity|(?:\\d+(?:\\.\\d+)?\\s*(?:${unit})?\\s*)+)$`, 'u').test(value);
}

function sectionsOf(options: CheckUnitOptions): readonly string[] {
  const own = OWN_SECTION[options.type ?? 'service'];
  return own === undefined ? ['Unit', 'Install'] : ['Unit', own, 'Install'];
}

/** Sections and keys that other programs keep in units (systemd.syntax(7)). */
function isExtension(name: string): boolean {
  return name.startsWith('X-');
}
