import type { UnitRelations } from './unit-relations.js';

/**
 * What berth asks of the service manager. Two implementations: over D-Bus on a running systemd (system or user
 * manager), and offline inside a tree (`--root`), where everything that needs a running manager is refused. One contract
 * suite holds for what both can do.
 */
export interface UnitManager extends AsyncDisposable {
  readonly kind: 'dbus' | 'offline';

  /** Major version of systemd (252, 257, …); undefined where a tree does not tell. */
  findSystemdVersion(): Promise<number | undefined>;

  /** Where the manager looks for units: of a user's one its own environment decided when it started. */
  findUnitFolders(): Promise<readonly string[]>;

  /**
   * What the manager knows of a unit by that name, from any directory; undefined if there is none. An alias of another
   * unit counts as a unit of its name.
   */
  findUnitFile(unit: string): Promise<UnitFileInfo | undefined>;

  /** Makes the manager read unit files again. Call once per command. */
  reload(): Promise<void>;

  /**
   * Applies `[Install]` of units that lie in the unit directory, as `systemctl enable` does, and gives the links that were
   * made; none for a unit without `[Install]` or one that is enabled already. Enable links are regular `.wants` links.
   *
   * @throws OperationalError UNIT_MASKED; UNIT_EXISTS if a link of that name leads elsewhere; SYSTEMD_CALL_FAILED
   */
  enable(units: readonly string[]): Promise<readonly UnitFileChange[]>;

  /** Removes every enable link of the units, as `systemctl disable` does. Harmless where there are none, or no unit. */
  disable(units: readonly string[]): Promise<readonly UnitFileChange[]>;

  /**
   * Makes the enable links of the units be what their files say now, as `systemctl reenable` does: for units whose
   * `[Install]` changed. Where a link stays, there is no moment without it for who kills this process to find.
   */
  reenable(units: readonly string[]): Promise<readonly UnitFileChange[]>;

  /**
   * Starts a unit and waits for the job's end. A job that ends badly is an outcome, not an error.
   *
   * @throws OperationalError SYSTEMD_TIMEOUT after `timeoutMs` (the job goes on); CANCELLED; UNIT_MASKED;
   *   SYSTEMD_CALL_FAILED if there is no such unit or it cannot be loaded; SYSTEMD_UNAVAILABLE if the bus is lost
   */
  start(unit: string, options: JobOptions): Promise<JobOutcome>;
  stop(unit: string, options: JobOptions): Promise<JobOutcome>;
  restart(unit: string, options: JobOptions): Promise<JobOutcome>;

  /** Ends every process of a unit at once (SIGKILL); nothing happens where none runs. */
  kill(unit: string): Promise<void>;

  /** Forgets the failed state of a unit; nothing happens where there is none. */
  resetFailed(unit: string): Promise<void>;

  /** What the manager says of units at present; a template is never active itself; a unit that is not loaded has `loadState` `not-found`. */
  getStates(units: readonly string[]): Promise<readonly UnitState[]>;

  /**
   * The same in short, of any number of units in few calls: what a list of a thousand containers asks. `findUnits` says which,
   * and is called when the manager is asked already: what it takes to find them costs nothing beside that.
   */
  getSummaries(findUnits: () => readonly string[]): Promise<readonly UnitSummary[]>;

  /**
   * The units that a stop of `unit` stops, too, each once and without those that these drag along in their turn: they
   * require it, are bound to it or part of it, or it passes its stop on to them. Loaded units only; in no order.
   */
  findDependents(unit: string): Promise<readonly string[]>;

  /**
   * Calls `onChange` after each change that the manager announces of one of the units, until the result is disposed of.
   * What changed is not said: ask with {@link UnitManager.getStates}. Changes in quick succession may be one call.
   */
  watchUnits(units: readonly string[], onChange: () => void): Promise<AsyncDisposable>;

  /**
   * How a unit stands to others; a running manager loads it to say so. One that is not there has `loadState` `not-found`,
   * but a running manager still tells who waits for it.
   */
  getRelations(unit: string): Promise<UnitRelations>;

  /** The loaded instances of a template unit (`web@.service`), sorted; none where nothing runs. */
  listInstances(template: string): Promise<readonly string[]>;

  /** Makes what a tmpfiles.d file asks for (`systemd-tmpfiles --create FILE`). */
  createTmpfiles(file: string): Promise<void>;
}

/** Where a unit stands. */
export interface UnitFileInfo {
  /** `''` where the manager knows the unit without a file. */
  readonly path: string;
  /** `enabled`, `disabled`, `static`, `masked`, `linked`, … as systemctl(1) "is-enabled" has them. */
  readonly state: string;
  /** Whether its files were changed since the manager read them. */
  readonly needDaemonReload: boolean;
}

/** One link that enabling or disabling made or removed. */
export interface UnitFileChange {
  readonly kind: 'symlink' | 'unlink';
  readonly path: string;
  /** Where a new link points; `''` for a removed one. */
  readonly source: string;
}

/** Options of a job. */
export interface JobOptions {
  /** Longest wait for the job's end; without it, as long as systemd's own time-outs let it take. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How jobs end, in systemd's words (org.freedesktop.systemd1, JobRemoved; src/core/job.c). */
export const JOB_RESULTS = [
  'done',
  'canceled',
  'timeout',
  'failed',
  'dependency',
  'skipped',
  'invalid',
  'unsupported',
  'collected',
  'once',
  'frozen',
  'concurrency',
  'assert',
] as const;

/** How a job ended. */
export interface JobOutcome {
  readonly result: (typeof JOB_RESULTS)[number];
}

/** What the manager says of a unit, in short. */
export interface UnitSummary {
  readonly unit: string;
  readonly activeState: string;
  /** `enabled`, `disabled`, …; `''` where there is no file. */
  readonly unitFileState: string;
}

/** What the manager says of a unit. */
export interface UnitState extends UnitSummary {
  readonly loadState: string;
  readonly subState: string;
  /** `Type=` of a service: `simple`, `oneshot`, …; `''` where it is no service that is loaded. */
  readonly serviceType: string;
  readonly fragmentPath: string;
  readonly needDaemonReload: boolean;
  /** Undefined unless the unit is a service with a process. */
  readonly mainPid: number | undefined;
  /** `Result` of the unit: `success`, `exit-code`, `signal`, `timeout`, … */
  readonly result: string;
  readonly statusText: string;
  /** Of the last main process; meaning as in `si_code`/`si_status`. */
  readonly execMainCode: number;
  readonly execMainStatus: number;
  readonly restarts: number;
  /** Of the present or last run, 32 hexadecimal digits: what its log entries carry. Undefined if it never ran. */
  readonly invocationId: string | undefined;
  /** Microseconds since the epoch; 0 if never. */
  readonly activeEnterTimestampUs: bigint;
  /** Monotonic microseconds; 0 if never. */
  readonly activeEnterMonotonicUs: bigint;
  readonly memoryCurrentBytes: bigint | undefined;
  readonly tasksCurrent: bigint | undefined;
  /** When a timer elapses by the calendar next, in microseconds since the epoch; undefined for other units, and where it never does. */
  readonly nextElapseUs?: bigint | undefined;
}
