import { basename } from 'node:path/posix';

import { unwrapVariant, type Bus, type BusCallOptions } from './bus.js';
import { asRows, asString, readProperties, type Properties } from './bus-values.js';
import { MANAGER, unitObjectPath } from './manager-address.js';
import { explainUnitError, isUnknownObject, isUnknownUnit } from './unit-errors.js';

/** Enabling reads every unit directory. */
const UNIT_FILES_TIMEOUT_MS = 60_000;

/**
 * Names to look for in one `ListUnitFilesByPatterns`: the manager reads all enable links for each file that it finds, and
 * answers nobody else meanwhile. A thousand take it seconds, and us some milliseconds.
 */
const MAX_FILE_PATTERNS = 20;

/** What the service manager is asked over its bus, by method and property. */
export class ManagerCalls {
  readonly #bus: Bus;
  readonly #mode: 'system' | 'user';
  readonly #signal: AbortSignal | undefined;

  /** The bus stays the caller's; `signal` ends what is asked of properties. */
  constructor(
    bus: Bus,
    about: { readonly mode: 'system' | 'user'; readonly signal: AbortSignal | undefined },
  ) {
    this.#bus = bus;
    this.#mode = about.mode;
    this.#signal = about.signal;
  }

  /** A property of the manager itself. */
  async ask(property: string): Promise<unknown> {
    const [reply] = await this.#bus.call(
      {
        destination: MANAGER.destination,
        path: MANAGER.path,
        interface: 'org.freedesktop.DBus.Properties',
        member: 'Get',
        signature: 'ss',
        body: [MANAGER.interface, property],
      },
      { signal: this.#signal },
    );
    return unwrapVariant(reply);
  }

  /** The manager loads what it is asked of by its path; `LoadUnit` before it would be as many messages again. */
  async getProperties(unit: string, of = ''): Promise<Properties> {
    try {
      return readProperties(await this.#bus.call(getAll(unitObjectPath(unit), of)));
    } catch (error) {
      // Of a name that is none there is no such path; what is wrong with it is said here.
      if (isUnknownObject(error)) await this.callExplained('LoadUnit', unit);
      throw explainUnitError(unit, error);
    }
  }

  /** As {@link ManagerCalls.call} of a method of one unit; what fails is explained. */
  async callExplained(member: string, unit: string): Promise<readonly unknown[]> {
    try {
      return await this.call(member, [unit]);
    } catch (error) {
      throw explainUnitError(unit, error);
    }
  }

  /** As `systemctl is-enabled` says it; undefined where the unit has no file. */
  async findFileState(unit: string): Promise<string | undefined> {
    try {
      return asString((await this.call('GetUnitFileState', [unit]))[0]);
    } catch (error) {
      if (isUnknownUnit(error)) return undefined;
      throw error;
    }
  }

  /** The states of the units' files by name; units without a file are not in it. */
  async findFileStates(units: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (this.#mode === 'system' && units.length > MAX_FILE_PATTERNS) {
      const { findFileStates } = await import('./unit-file-states.js');
      return findFileStates(units);
    }
    const [rows] = await this.#bus.call(
      {
        ...MANAGER,
        member: 'ListUnitFilesByPatterns',
        signature: 'asas',
        body: [[], units],
      },
      { timeoutMs: UNIT_FILES_TIMEOUT_MS },
    );
    return new Map(
      asRows(rows).map(([path, state]) => [basename(asString(path)), asString(state)]),
    );
  }

  /** Calls what reads every unit directory. */
  async callUnitFiles(
    member: string,
    call: { readonly signature: string; readonly body: readonly unknown[] },
  ): Promise<readonly unknown[]> {
    try {
      return await this.#bus.call(
        { ...MANAGER, member, ...call },
        { timeoutMs: UNIT_FILES_TIMEOUT_MS },
      );
    } catch (error) {
      throw explainUnitError(String(call.body[0]), error);
    }
  }

  /** Calls a method of the manager whose arguments are all strings. */
  async call(
    member: string,
    args: readonly string[],
    options: BusCallOptions = {},
  ): Promise<readonly unknown[]> {
    return this.#bus.call(
      { ...MANAGER, member, signature: 's'.repeat(args.length), body: args },
      options,
    );
  }
}

/** The call for all properties of an object; `name` is an interface, or `''` for all of them. */
function getAll(path: string, name: string): Parameters<Bus['call']>[0] {
  return {
    destination: MANAGER.destination,
    path,
    interface: 'org.freedesktop.DBus.Properties',
    member: 'GetAll',
    signature: 's',
    body: [name],
  };
}
