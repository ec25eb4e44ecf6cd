import { constants } from 'node:os';

import { mapAtOnce } from '../base/map-at-once.js';
import { runProgram } from '../base/subprocess.js';
import { OperationalError } from '../errors/operational-error.js';
import { askActiveStates } from './active-states.js';
import type { Bus } from './bus.js';
import { JobWaiter } from './job-waiter.js';
import { MANAGER } from './manager-address.js';
import { ManagerCalls } from './manager-calls.js';
import { asRows, asString, asStrings, readChanges } from './bus-values.js';
import { readBusRelations } from './bus-relations.js';
import { readUnitState } from './read-unit-state.js';
import { explainUnitError, isNoProcess, isUnknownUnit } from './unit-errors.js';
import { watchProperties } from './watch-properties.js';
import type { UnitRelations } from './unit-relations.js';
import type {
  JobOptions,
  JobOutcome,
  UnitFileChange,
  UnitFileInfo,
  UnitManager,
  UnitState,
  UnitSummary,
} from './unit-manager.js';

const UNIT_INTERFACE = 'org.freedesktop.systemd1.Unit';

/** Re-reading thousands of units on a slow disk takes long; systemctl waits for ever, and a person would not. */
const RELOAD_TIMEOUT_MS = 180_000;
/** Calls on their way: a bus refuses more than 128 without an answer (dbus-daemon(1), max_replies_per_connection), and systemd needs no more to be busy. */
const MAX_CALLS_AT_ONCE = 16;

/** The service manager of a running system, through its bus: see {@link connectUnitManager}. */
export class DBusUnitManager implements UnitManager {
  readonly kind = 'dbus';
  readonly #bus: Bus;
  readonly #calls: ManagerCalls;
  readonly #mode: 'system' | 'user';
  readonly #signal: AbortSignal | undefined;
  readonly #environment: Readonly<Record<string, string>>;
  #jobs: Promise<JobWaiter> | undefined;
  #version: Promise<number | undefined> | undefined;

  /** The bus is closed with the manager; `signal` ends what is asked of it without a signal of its own. */
  constructor(
    bus: Bus,
    about: {
      readonly mode: 'system' | 'user';
      readonly signal: AbortSignal | undefined;
      readonly environment?: Readonly<Record<string, string>> | undefined;
    },
  ) {
    this.#bus = bus;
    this.#calls = new ManagerCalls(bus, about);
    this.#mode = about.mode;
    this.#signal = about.signal;
    this.#environment = about.environment ?? {};
  }

  findSystemdVersion(): Promise<number | undefined> {
    return (this.#version ??= this.#askVersion());
  }

  async findUnitFolders(): Promise<readonly string[]> {
    return asStrings(await this.#calls.ask('UnitPath'));
  }

  async findUnitFile(unit: string): Promise<UnitFileInfo | undefined> {
    // A template cannot be loaded, only its instances; its file can be asked for.
    if (isTemplate(unit)) {
      const state = await this.#calls.findFileState(unit);
      return state === undefined ? undefined : { path: '', state, needDaemonReload: false };
    }
    const properties = await this.#calls.getProperties(unit, UNIT_INTERFACE);
    if (asString(properties.get('LoadState')) === 'not-found') {
      const state = await this.#calls.findFileState(unit);
      return state === undefined ? undefined : { path: '', state, needDaemonReload: false };
    }
    return {
      path: asString(properties.get('FragmentPath')),
      state: asString(properties.get('UnitFileState')),
      needDaemonReload: properties.get('NeedDaemonReload') === true,
    };
  }

  async reload(): Promise<void> {
    try {
      await this.#calls.call('Reload', [], { timeoutMs: RELOAD_TIMEOUT_MS });
    } catch (error) {
      throw withHint(error, 'the units are in place; run: systemctl daemon-reload');
    }
  }

  async enable(units: readonly string[]): Promise<readonly UnitFileChange[]> {
    const body = [[...units], /* runtime= */ false, /* force= */ false];
    const reply = await this.#calls.callUnitFiles('EnableUnitFiles', { signature: 'asbb', body });
    return readChanges(reply[1]);
  }

  async reenable(units: readonly string[]): Promise<readonly UnitFileChange[]> {
    const body = [[...units], /* runtime= */ false, /* force= */ false];
    const reply = await this.#calls.callUnitFiles('ReenableUnitFiles', { signature: 'asbb', body });
    return readChanges(reply[1]);
  }

  async disable(units: readonly string[]): Promise<readonly UnitFileChange[]> {
    const changes: UnitFileChange[] = [];
    // One by one: a name that systemd does not know fails the whole call.
    for (const unit of units) {
      try {
        const body = [[unit], /* runtime= */ false];
        const reply = await this.#calls.callUnitFiles('DisableUnitFiles', {
          signature: 'asb',
          body,
        });
        changes.push(...readChanges(reply[0]));
      } catch (error) {
        if (!isUnknownUnit(error)) throw error;
      }
    }
    return changes;
  }

  start(unit: string, options: JobOptions): Promise<JobOutcome> {
    return this.#job('StartUnit', unit, options);
  }

  stop(unit: string, options: JobOptions): Promise<JobOutcome> {
    return this.#job('StopUnit', unit, options);
  }

  restart(unit: string, options: JobOptions): Promise<JobOutcome> {
    return this.#job('RestartUnit', unit, options);
  }

  async kill(unit: string): Promise<void> {
    try {
      const body = [unit, 'all', constants.signals.SIGKILL];
      await this.#bus.call({ ...MANAGER, member: 'KillUnit', signature: 'ssi', body });
    } catch (error) {
      if (!isUnknownUnit(error) && !isNoProcess(error)) throw error;
    }
  }

  async resetFailed(unit: string): Promise<void> {
    if (isTemplate(unit)) {
      for (const instance of await this.listInstances(unit)) await this.resetFailed(instance);
      return;
    }
    try {
      await this.#calls.call('ResetFailedUnit', [unit]);
    } catch (error) {
      if (!isUnknownUnit(error)) throw error;
    }
  }

  getStates(units: readonly string[]): Promise<readonly UnitState[]> {
    return mapAtOnce(units, MAX_CALLS_AT_ONCE, async (unit) =>
      isTemplate(unit)
        ? this.#templateState(unit)
        : readUnitState(unit, await this.#calls.getProperties(unit)),
    );
  }

  async getSummaries(findUnits: () => readonly string[]): Promise<readonly UnitSummary[]> {
    const services = await this.#askActiveStates(['*.service']);
    const units = findUnits();
    // No names at all are patterns for everything: reading all unit files takes systemd a second where there are a thousand.
    if (units.length === 0) return [];
    const others = units.filter((unit) => !unit.endsWith('.service'));
    const [states, otherStates, fileStates] = await Promise.all([
      services.answer,
      others.length === 0 ? undefined : (await this.#askActiveStates(others)).answer,
      this.#calls.findFileStates(units),
    ]);
    return units.map((unit) => ({
      unit,
      activeState: states.get(unit) ?? otherStates?.get(unit) ?? 'inactive',
      unitFileState: fileStates.get(unit) ?? '',
    }));
  }

  async findDependents(unit: string): Promise<readonly string[]> {
    const properties = await this.#calls.getProperties(unit, UNIT_INTERFACE);
    return [...new Set(STOPPED_WITH.flatMap((name) => asStrings(properties.get(name))))];
  }

  async watchUnits(units: readonly string[], onChange: () => void): Promise<AsyncDisposable> {
    await this.#subscribe();
    const paths = new Set<string>();
    for (const unit of units) {
      // Without a reference systemd forgets a unit that ends well, and how it ended.
      await this.#calls.callExplained('RefUnit', unit);
      paths.add(asString((await this.#calls.callExplained('LoadUnit', unit))[0]));
    }
    const watch = await watchProperties(this.#bus, paths, onChange);
    return {
      [Symbol.asyncDispose]: async () => {
        await watch[Symbol.asyncDispose]();
        for (const unit of units)
          await this.#calls.call('UnrefUnit', [unit]).catch(() => undefined);
      },
    };
  }

  async getRelations(unit: string): Promise<UnitRelations> {
    return readBusRelations(unit, await this.#calls.getProperties(unit, UNIT_INTERFACE));
  }

  async listInstances(template: string): Promise<readonly string[]> {
    const pattern = template.replace('@.', '@*.');
    const [rows] = await this.#bus.call({
      ...MANAGER,
      member: 'ListUnitsByPatterns',
      signature: 'asas',
      body: [[], [pattern]],
    });
    return asRows(rows)
      .map(([name]) => asString(name))
      .filter((name) => name !== template)
      .sort();
  }

  async createTmpfiles(file: string): Promise<void> {
    const user = this.#mode === 'user' ? ['--user'] : [];
    await runProgram(['systemd-tmpfiles', ...user, '--create', '--', file], {
      env: this.#environment,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bus[Symbol.asyncDispose]();
  }

  async #job(
    member: 'StartUnit' | 'StopUnit' | 'RestartUnit',
    unit: string,
    options: JobOptions,
  ): Promise<JobOutcome> {
    try {
      const jobs = await this.#subscribe();
      return await jobs.run(`${member} ${unit}`, options, async () => {
        const reply = await this.#calls.call(member, [unit, 'replace'], { signal: options.signal });
        return asString(reply[0]);
      });
    } catch (error) {
      throw explainUnitError(unit, error);
    }
  }

  /**
   * Before the first job only: systemd tells its subscribers of every unit that it has, each time it reads them again. The
   * manager's signal does not end it: the first job may be one that tidies up after an interruption.
   */
  #subscribe(): Promise<JobWaiter> {
    return (this.#jobs ??= JobWaiter.start(this.#bus, undefined));
  }

  async #askVersion(): Promise<number | undefined> {
    const version = /\d+/.exec(asString(await this.#calls.ask('Version')))?.[0];
    return version === undefined ? undefined : Number(version);
  }

  #askActiveStates(patterns: readonly string[]): ReturnType<typeof askActiveStates> {
    const version = this.findSystemdVersion();
    return askActiveStates(this.#bus, { patterns, version, signal: this.#signal });
  }

  /** A template is never loaded itself. */
  async #templateState(unit: string): Promise<UnitState> {
    const state = await this.#calls.findFileState(unit);
    const properties = new Map<string, unknown>([
      ['LoadState', loadStateOf(state)],
      ['ActiveState', 'inactive'],
      ['SubState', 'dead'],
      ['UnitFileState', state ?? ''],
      ['Result', 'success'],
    ]);
    return readUnitState(unit, properties);
  }
}

/** Through which relations a stop reaches other units, seen from the one that stops (systemd.unit(5)). */
const STOPPED_WITH = ['RequiredBy', 'RequisiteOf', 'BoundBy', 'ConsistsOf', 'PropagatesStopTo'];

/** `LoadState` of what has no unit object, from the state of its file. */
function loadStateOf(fileState: string | undefined): string {
  if (fileState === undefined) return 'not-found';
  return fileState.startsWith('masked') ? 'masked' : 'loaded';
}

function isTemplate(unit: string): boolean {
  return unit.includes('@.');
}

function withHint(error: unknown, hint: string): unknown {
  if (!(error instanceof OperationalError)) return error;
  return new OperationalError(error.code, error.message, { hint, cause: error });
}
