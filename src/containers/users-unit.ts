import { join } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import { splitUnitLines, type UnitLine } from '../base/unit-lines.js';
import type { HostPaths } from '../config/host-paths.js';
import { OperationalError } from '../errors/operational-error.js';
import { getWords, type UnitDocument } from '../systemd/unit-text.js';
import { INSTANCE_MARKER } from './compile-service.js';
import { covers } from './host-path-policy.js';

/** A unit as a user's service manager can have it. */
export interface UsersUnit {
  readonly text: string;
  readonly warnings: readonly string[];
}

/** Targets of the system at which services are started; a user's manager has the one at which the user's are. */
const SYSTEM_TARGETS = /(?<![\w.@-])(?:multi-user|graphical)\.target(?![\w.-])/g;

const STARTERS = new Set(['WantedBy', 'RequiredBy', 'UpheldBy']);

/**
 * Makes a unit that was written for the system one of a user's manager: what the system starts at boot the user's manager starts
 * with itself (`default.target`). Everything else stays as its author wrote it; what a user's manager does not have, such as
 * `network-online.target` in `After=`, it passes over.
 *
 * @throws {@link OperationalError} UNIT_INVALID if it is to run as somebody else, which only the system's manager can
 */
export function toUsersUnit(text: string): UsersUnit {
  const warnings: string[] = [];
  const lines = splitUnitLines(text).map((line) => {
    if (line.kind !== 'assignment') return line.raw;
    assertNoOtherUser(line);
    if (line.section !== 'Install' || !STARTERS.has(line.key)) return line.raw;
    const changed = line.raw.replace(SYSTEM_TARGETS, 'default.target');
    if (changed !== line.raw)
      warnings.push(`${line.key}=${line.value} becomes default.target in a user's manager`);
    return changed;
  });
  return { text: lines.join(''), warnings };
}

function assertNoOtherUser({
  section,
  key,
  value,
}: Extract<UnitLine, { kind: 'assignment' }>): void {
  const chooses =
    key === 'User' || key === 'Group' || key === 'SupplementaryGroups'
      ? value !== ''
      : key === 'DynamicUser' && /^(?:1|yes|y|true|t|on)$/i.test(value);
  const choosesOwner = (key === 'SocketUser' || key === 'SocketGroup') && value !== '';
  if (section === 'Socket' ? !chooses && !choosesOwner : section !== 'Service' || !chooses) return;
  throw new OperationalError(
    'UNIT_INVALID',
    `the unit has ${key}=${quote(value)}: a user's service manager runs services as that user only`,
    { hint: "install it as root, without '--user'" },
  );
}

/**
 * Checks that what an instance binds is made: `StateDirectory=` of a user's unit lies in `managers`, STATE_DIRECTORY of its image
 * in `state`. Of what is no instance's the folder is made by tmpfiles lines.
 *
 * @throws {@link OperationalError} UNIT_INVALID
 */
export function assertInstancesMade(
  unit: UnitDocument,
  places: {
    readonly sources: readonly string[];
    readonly state: string;
    readonly managers: string;
  },
): void {
  const { sources, state, managers } = places;
  const made = getWords(unit, 'Service', 'StateDirectory').filter((word) => /%[iI]/.test(word));
  const lost = made.find((word) =>
    sources.some((path) => covers(join(state, word.replace(/%[iI]/g, INSTANCE_MARKER)), path)),
  );
  if (lost === undefined) return;
  throw new OperationalError(
    'UNIT_INVALID',
    `StateDirectory=${lost} of a user's unit is in ${quote(managers)}, and the container binds it from ${quote(state)}`,
    { hint: `make it one place: --set STATE_DIRECTORY=${managers}` },
  );
}

/** Where `StateDirectory=` of a user's units lies, where no XDG_STATE_HOME says otherwise (systemd.exec(5)). */
export function usersStateHome(
  { userEnvironment }: HostPaths,
  systemdVersion: number | undefined,
): string {
  const home = userEnvironment['HOME'] ?? '/';
  return (systemdVersion ?? 254) < 254
    ? (userEnvironment['XDG_CONFIG_HOME'] ?? join(home, '.config'))
    : join(home, '.local/state');
}
