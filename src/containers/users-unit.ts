import { quote } from '../base/escape-text.js';
import { splitUnitLines, type UnitLine } from '../base/unit-lines.js';
import { OperationalError } from '../errors/operational-error.js';

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
  if (section !== 'Service' || !chooses) return;
  throw new OperationalError(
    'UNIT_INVALID',
    `the unit has ${key}=${quote(value)}: a user's service manager runs services as that user only`,
    { hint: "install it as root, without '--user'" },
  );
}
