/** The kinds of dependencies that decide what is started with a unit, or stopped. */
export const PULLS = ['requires', 'requisite', 'bindsTo', 'wants', 'upholds', 'partOf'] as const;

/** One of {@link PULLS}. */
export type Pull = (typeof PULLS)[number];

/** How a unit stands to others, as the manager has put it together from files, drop-ins, links and its own rules. */
export interface UnitRelations extends Readonly<Record<Pull, readonly string[]>> {
  readonly unit: string;
  /** `loaded`, `not-found`, `masked`, … */
  readonly loadState: string;
  /** Units that this one waits for when both start. */
  readonly after: readonly string[];
  /** Units that wait for this one. A tree that is not running only knows those that the unit itself names. */
  readonly before: readonly string[];
  readonly conflicts: readonly string[];
  /** Paths whose mounts it needs. */
  readonly mountPaths: readonly string[];
  /** Whether systemd adds what services have by default: after basic.target, before shutdown.target. */
  readonly defaultDependencies: boolean;
  /** Files that say it: the unit first, then its drop-ins in the order in which they are read. */
  readonly files: readonly string[];
  /** Monotonic microseconds at which it last began to start, and was started; 0 if never, or where nothing runs. */
  readonly startingAtUs: number;
  readonly activeAtUs: number;
}

/** The directives behind {@link PULLS}, as unit files and D-Bus spell them. */
export const PULL_DIRECTIVES: Readonly<Record<Pull, string>> = {
  requires: 'Requires',
  requisite: 'Requisite',
  bindsTo: 'BindsTo',
  wants: 'Wants',
  upholds: 'Upholds',
  partOf: 'PartOf',
};
