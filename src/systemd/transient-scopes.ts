import { OperationalError } from '../errors/operational-error.js';
import { Bus, DBusCallError, makeVariant } from './bus.js';
import { asString } from './bus-values.js';
import { findBusSocket, type FindBusOptions } from './find-bus.js';
import { JobWaiter } from './job-waiter.js';
import { MANAGER } from './manager-address.js';

/** A property of a unit: its name, the D-Bus signature of its value, the value. */
type UnitProperty = readonly [name: string, signature: string, value: unknown];

const SIGKILL = 9;

/** Longest wait for a job: systemd's own limit for stopping a unit is 90 s. */
const JOB_TIMEOUT_MS = 100_000;

/** Transient scopes of a running service manager: units around processes that somebody else has started. */
export class TransientScopes implements AsyncDisposable {
  readonly #bus: Bus;
  readonly #jobs: JobWaiter;

  private constructor(bus: Bus, jobs: JobWaiter) {
    this.#bus = bus;
    this.#jobs = jobs;
  }

  /**
   * Connects to the service manager.
   *
   * @throws {@link OperationalError} SYSTEMD_UNAVAILABLE
   */
  static async connect(
    options: FindBusOptions & { readonly uid?: number | undefined },
    signal?: AbortSignal,
  ): Promise<TransientScopes> {
    const bus = await Bus.connect(findBusSocket(options), options.uid);
    try {
      return new TransientScopes(bus, await JobWaiter.start(bus, signal));
    } catch (error) {
      await bus[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Starts a scope, and waits until it stands. What is left of a scope of that name that failed is cleared away first.
   *
   * @throws {@link OperationalError} SYSTEMD_CALL_FAILED, SYSTEMD_TIMEOUT, CANCELLED
   */
  async start(
    name: string,
    properties: readonly UnitProperty[],
    signal?: AbortSignal,
  ): Promise<void> {
    try {
      await this.#startOnce(name, properties, signal);
    } catch (error) {
      if (!isBusError(error, 'UnitExists')) throw error;
      await this.#resetFailed(name, signal);
      await this.#startOnce(name, properties, signal);
    }
  }

  async #startOnce(
    name: string,
    properties: readonly UnitProperty[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const body = [name, 'replace', toStructures(properties), []];
    const outcome = await this.#jobs.run(`the start of ${name}`, this.#jobOptions(signal), () =>
      this.#call('StartTransientUnit', { signature: 'ssa(sv)a(sa(sv))', body }, signal),
    );
    if (outcome.result === 'done') return;
    throw new OperationalError(
      'SYSTEMD_CALL_FAILED',
      `systemd did not start ${name}: ${outcome.result}`,
    );
  }

  /** Changes properties of a running unit, until it is gone. */
  async setProperties(
    name: string,
    properties: readonly UnitProperty[],
    signal?: AbortSignal,
  ): Promise<void> {
    const body = [name, true, toStructures(properties)];
    await this.#bus.call(
      { ...MANAGER, member: 'SetUnitProperties', signature: 'sba(sv)', body },
      { signal },
    );
  }

  /**
   * Puts a process into a delegated unit of this manager, or into a cgroup below it (`/a/b`). A user's manager asks the
   * system's where the process comes from outside of its own part.
   */
  async attach(name: string, subgroup: string, pid: number): Promise<void> {
    await this.#bus.call({
      ...MANAGER,
      member: 'AttachProcessesToUnit',
      signature: 'ssau',
      body: [name, subgroup, [pid]],
    });
  }

  /**
   * Kills all that is in a scope, stops it, and waits until it is gone; one that is not there is no failure. Stopping alone asks
   * with SIGTERM, which the first process of a pid namespace does not hear, and waits 90 s for it.
   */
  async stop(name: string, signal?: AbortSignal): Promise<void> {
    try {
      const body = [name, 'all', SIGKILL];
      await this.#bus.call({ ...MANAGER, member: 'KillUnit', signature: 'ssi', body }, { signal });
      await this.#jobs.run(`the stop of ${name}`, this.#jobOptions(signal), () =>
        this.#call('StopUnit', { signature: 'ss', body: [name, 'replace'] }, signal),
      );
    } catch (error) {
      if (!isBusError(error, 'NoSuchUnit')) throw error;
    }
    await this.#resetFailed(name, signal);
  }

  /** A scope whose processes were killed has failed, and would be remembered. */
  async #resetFailed(name: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#bus.call(
        { ...MANAGER, member: 'ResetFailedUnit', signature: 's', body: [name] },
        { signal },
      );
    } catch (error) {
      if (!isBusError(error, 'NoSuchUnit')) throw error;
    }
  }

  async #call(
    member: string,
    call: { readonly signature: string; readonly body: readonly unknown[] },
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const [job] = await this.#bus.call({ ...MANAGER, member, ...call }, { signal });
    return asString(job);
  }

  #jobOptions(signal: AbortSignal | undefined): {
    readonly timeoutMs: number;
    readonly signal?: AbortSignal;
  } {
    return { timeoutMs: JOB_TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#jobs[Symbol.asyncDispose]();
    await this.#bus[Symbol.asyncDispose]();
  }
}

function toStructures(properties: readonly UnitProperty[]): readonly unknown[] {
  return properties.map(([name, signature, value]) => [name, makeVariant(signature, value)]);
}

function isBusError(error: unknown, name: string): boolean {
  return error instanceof DBusCallError && error.errorName === `${MANAGER.destination}.${name}`;
}
