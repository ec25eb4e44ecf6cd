import { isIPv4, isIPv6 } from 'node:net';

import { quote } from '../base/escape-text.js';
import { findCalendarProblem } from './calendar-spec.js';
import { findTimeSpanProblem } from './time-span.js';
import type { CheckUnitOptions, UnitProblem } from './unit-problem.js';
import { isNameOf, unitNameOf, type UnitType } from './unit-name.js';
import { getValue, getValues, listAssignments, type UnitDocument } from './unit-text.js';

/** Types of units that start another one, in the order in which they are told. */
export const ACTIVATOR_TYPES = ['socket', 'timer', 'path'] as const satisfies readonly UnitType[];

/** One of {@link ACTIVATOR_TYPES}. */
export type ActivatorType = (typeof ACTIVATOR_TYPES)[number];

interface Activation {
  readonly section: string;
  /** What names the unit that it starts. */
  readonly starts: string;
  /** What it waits for: without one of these systemd refuses the unit. */
  readonly waits: RegExp;
  readonly lacks: string;
}

const ACTIVATIONS: Readonly<Record<ActivatorType, Activation>> = {
  socket: {
    section: 'Socket',
    starts: 'Service',
    waits: /^Listen/,
    lacks: 'it listens at nothing: it has no ListenStream= or its like',
  },
  timer: {
    section: 'Timer',
    starts: 'Unit',
    waits: /^On/,
    lacks: 'it never elapses: it has no OnCalendar= or its like',
  },
  path: {
    section: 'Path',
    starts: 'Unit',
    waits: /^(?:Path|DirectoryNotEmpty)/,
    lacks: 'it watches nothing: it has no PathExists= or its like',
  },
};

const YES = /^(?:1|yes|y|true|t|on)$/i;

/** Longest path of a socket (`sun_path` of unix(7), without its NUL). */
const MAX_SOCKET_PATH = 107;

/**
 * What a socket, timer or path starts, and on what: systemd refuses one that waits for nothing, and passes over an address or time
 * that it cannot read. It may start the service of its own container only: another one is not the image's to start.
 */
export function checkActivation(
  document: UnitDocument,
  options: CheckUnitOptions,
): readonly UnitProblem[] {
  const type = ACTIVATOR_TYPES.find((known) => known === options.type);
  if (type === undefined) return [];
  const { section, starts, waits, lacks } = ACTIVATIONS[type];
  const problems: UnitProblem[] = [];
  const error = (line: number, message: string): void => {
    problems.push({ severity: 'error', line, message });
  };
  const own = listAssignments(document).filter((assignment) => assignment.section === section);
  if (!own.some(({ key }) => waits.test(key) && isSet(document, section, key))) error(0, lacks);
  const service = unitNameOf(options.name);
  for (const { key, value, line } of own) {
    if (key === starts && value !== '' && !isNameOf(value, service))
      error(line, `${key}=${value}: it may start ${service} only`);
    if (key === 'Accept' && YES.test(value))
      error(
        line,
        'Accept=yes needs a service of its own for each connection, and a container is one',
      );
    const wrong = findWrongTime(key, value) ?? findWrongAddress(key, value);
    if (wrong !== undefined) error(line, `${key}= ${wrong}, got ${quote(value)}`);
  }
  return problems;
}

function isSet(document: UnitDocument, section: string, key: string): boolean {
  if (key === 'OnClockChange' || key === 'OnTimezoneChange')
    return YES.test(getValue(document, section, key) ?? '');
  return getValues(document, section, key).length > 0;
}

function findWrongTime(key: string, value: string): string | undefined {
  if (value === '' || value.includes('%')) return undefined;
  if (key === 'OnCalendar') return findCalendarProblem(value);
  return MONOTONIC.test(key) ? findTimeSpanProblem(value) : undefined;
}

/** systemd.timer(5): times that are counted from something. */
const MONOTONIC = /^On(?:Active|Boot|Startup|UnitActive|UnitInactive)Sec$/;

/** systemd.socket(5), "ListenStream="; what has a specifier is systemd's to read. */
function findWrongAddress(key: string, value: string): string | undefined {
  if (value === '' || value.includes('%')) return undefined;
  if (key === 'ListenFIFO' || key === 'ListenSpecial')
    return value.startsWith('/') ? undefined : 'expects an absolute path';
  if (!/^Listen(?:Stream|Datagram|SequentialPacket)$/.test(key)) return undefined;
  if (/^[/@]/.test(value)) {
    return Buffer.byteLength(value) <= MAX_SOCKET_PATH
      ? undefined
      : `has a path of more than ${MAX_SOCKET_PATH} bytes`;
  }
  if (key === 'ListenSequentialPacket') return 'expects a path or an abstract name (@…)';
  return isAddress(value)
    ? undefined
    : 'expects a path, an abstract name (@…), a port or ADDRESS:PORT';
}

function isAddress(value: string): boolean {
  if (value.startsWith('vsock:')) return true;
  const [, address, port] = /^(?:(.*):)?(\d{1,5})$/.exec(value) ?? [];
  if (port === undefined || Number(port) < 1 || Number(port) > 65_535) return false;
  if (address === undefined) return true;
  return isIPv4(address) || (/^\[.*\]$/.test(address) && isIPv6(address.slice(1, -1)));
}
