/**
 * What berth asks of the service manager. Two implementations: over D-Bus on a running systemd (system or user
 * manager), and offline inside a tree (`--root`), where everything that needs a running manager is refused. One contract
 * suite holds for what both can do.
 */
export interface UnitManager extends AsyncDisposable {
  readonly kind: 'dbus' | 'offline';

  /** What the manager knows of a unit by that name, from any directory; undefined if there is none. */
  findUnitFile(unit: string): Promise<UnitFileInfo | undefined>;

  /** Makes the manager read unit files again. Call once per command. */
  reload(): Promise<void>;

  /** Applies `[Install]` of units that lie in the unit directory, as `systemctl enable` does. Enable links are regular `.wants` links. */
  enable(units: readonly string[]): Promise<readonly UnitFileChange[]>;

  /** Removes every enable link of the units, as `systemctl disable` does. */
  disable(units: readonly string[]): Promise<readonly UnitFileChange[]>;

  /** Starts a unit and waits for the job's end. */
  start(unit: string, options: JobOptions): Promise<JobOutcome>;
  stop(unit: string, options: JobOptions): Promise<JobOutcome>;
  restart(unit: string, options: JobOptions): Promise<JobOutcome>;

  /** Forgets the failed state of a unit; nothing happens where there is none. */
  resetFailed(unit: string): Promise<void>;

  /** What the manager says of units at present; a unit that is not loaded has `loadState` `not-found`. */
  getStates(units: readonly string[]): Promise<readonly UnitState[]>;

  /** Makes what a tmpfiles.d file asks for (`systemd-tmpfiles --create FILE`). */
  createTmpfiles(file: string): Promise<void>;
}

/** Where a unit stands. */
export interface UnitFileInfo {
  /** `''` where the manager knows the unit without a file. */
  readonly path: string;
  /** `enabled`, `disabled`, `static`, `masked`, `linked`, … as systemctl(1) "is-enabled" has them. */
  readonly state: string;
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
  readonly signal?: AbortSignal | undefined;
}

/** How a job ended, in systemd's words (org.freedesktop.systemd1, JobRemoved). */
export interface JobOutcome {
  readonly result:
    | 'done'
    | 'canceled'
    | 'timeout'
    | 'failed'
    | 'dependency'
    | 'skipped'
    | 'invalid'
    | 'unsupported'
    | 'collected'
    | 'once'
    | 'frozen'
    | 'concurrency'
    | 'assert';
}

/** What the manager says of a unit. */
export interface UnitState {
  readonly unit: string;
  readonly loadState: string;
  readonly activeState: string;
  readonly subState: string;
  /** `enabled`, `disabled`, …; `''` where there is no file. */
  readonly unitFileState: string;
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
  /** Microseconds since the epoch; 0 if never. */
  readonly activeEnterTimestampUs: bigint;
  /** Monotonic microseconds; 0 if never. */
  readonly activeEnterMonotonicUs: bigint;
  readonly memoryCurrentBytes: bigint | undefined;
  readonly tasksCurrent: bigint | undefined;
}
