import type { ContainerName } from '../base/container-name.js';
import { unitNameOf, type UnitName, type UnitType } from './unit-name.js';

/**
 * Looks at a unit before it is installed, as systemd will read it: `systemd-analyze verify` exits with 0 for most of what
 * systemd then passes over with a warning, and says nothing of what a unit may do to its host.
 *
 * An *error* keeps the unit from being installed: systemd would refuse it, pass over something that decides what the
 * service is (a misspelt directive, its type, its user), or it would take a name or place in the boot that is not an
 * image's to take. A *warning* is what systemd passes over without harm, which published images have. A *notice* is what
 * the unit may do to the host, for the person who decides.
 */
export interface UnitProblem {
  readonly severity: 'error' | 'warning' | 'notice';
  /** 1-based; 0 where it concerns the whole unit. */
  readonly line: number;
  readonly message: string;
}

/** What {@link checkUnit} knows beside the text. */
export interface CheckUnitOptions {
  readonly name: ContainerName;
  /** `service` unless given. */
  readonly type?: UnitType;
  /** Of the host, for directives that it does not know yet; 262 unless given. */
  readonly systemdVersion?: number | undefined;
  /** Names that `Alias=` and `Also=` may have, because the administrator allowed them. */
  readonly allowedNames?: ReadonlySet<string>;
  /** The line that runs the container (EXEC_START), to the last letter: all else that a unit runs is on the host. */
  readonly command?: string;
}

/** The unit that the options speak of. */
export function unitNameFor(options: CheckUnitOptions): UnitName {
  return unitNameOf(options.name, options.type);
}
