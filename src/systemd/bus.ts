import type { EventEmitter } from 'node:events';

import dbus from 'dbus-next';

import { escapeText, quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';

/** A method to call. Names as in the D-Bus interface. */
export interface BusCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
}

/** A signal that arrived. */
export interface BusSignal {
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly body: readonly unknown[];
}

/** Options of {@link Bus.call}. */
export interface BusCallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for the reply; 25 s unless given, the D-Bus libraries' own. */
  readonly timeoutMs?: number;
}

/** The other side answered a call with an error. */
export class DBusCallError extends OperationalError {
  readonly member: string;
  /** `org.freedesktop.systemd1.NoSuchUnit`, … */
  readonly errorName: string;

  constructor(member: string, errorName: string, text: string) {
    super('SYSTEMD_CALL_FAILED', `${member} failed: ${escapeText(text)} (${errorName})`);
    this.member = member;
    this.errorName = errorName;
  }
}

const DEFAULT_TIMEOUT_MS = 25_000;
/** Connecting is local and takes milliseconds; a bus that does not answer for this long is not there. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * A connection to a message bus: calls with time-outs, signals, and one clear failure of everything that waits when the
 * connection is lost (dbus-next itself leaves calls waiting for ever then).
 */
export class Bus implements AsyncDisposable {
  readonly #bus: dbus.MessageBus;
  readonly #listeners = new Set<(signal: BusSignal) => void>();
  readonly #onLost = new Set<(error: OperationalError) => void>();
  #lost: OperationalError | undefined;

  private constructor(bus: dbus.MessageBus) {
    this.#bus = bus;
    bus.on('error', (error: unknown) => {
      this.#lose(error instanceof Error ? error.message : String(error), error);
    });
    connectionOf(bus).on('end', () => {
      this.#lose('the connection was closed', undefined);
    });
    bus.on('message', (message) => {
      if (message.type !== dbus.MessageType.SIGNAL) return;
      const { path, interface: name, member } = message;
      for (const listener of this.#listeners) {
        listener({ path, interface: name, member, body: message.body });
      }
    });
  }

  /**
   * Connects to the bus whose socket is given.
   *
   * @throws {@link OperationalError} SYSTEMD_UNAVAILABLE
   */
  static async connect(socket: string): Promise<Bus> {
    // The library's `path=` would first try to load an optional native module that passes descriptors; `socket=` does not.
    const bus = createConnection(`unix:socket=${socket}`);
    const connection = new Bus(bus);
    await connection.#waiting(
      new Promise<void>((resolve) => {
        bus.on('connect', resolve);
      }),
      { what: `the bus at ${quote(socket)}`, timeoutMs: CONNECT_TIMEOUT_MS },
    );
    return connection;
  }

  /**
   * Calls a method and gives the reply's body.
   *
   * @throws {@link DBusCallError} if the other side answers with an error
   * @throws {@link OperationalError} SYSTEMD_TIMEOUT, CANCELLED, SYSTEMD_UNAVAILABLE if the connection is lost
   */
  async call(call: BusCall, options: BusCallOptions = {}): Promise<readonly unknown[]> {
    if (this.#lost !== undefined) throw this.#lost;
    const message = new dbus.Message({
      destination: call.destination,
      path: call.path,
      interface: call.interface,
      member: call.member,
      signature: call.signature ?? '',
      body: [...(call.body ?? [])],
    });
    const reply = this.#bus.call(message).catch((error: unknown) => {
      if (error instanceof dbus.DBusError) {
        throw new DBusCallError(call.member, error.type, error.text);
      }
      throw error;
    });
    const answer = await this.#waiting(reply, {
      what: call.member,
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      signal: options.signal,
    });
    return (answer?.body ?? []) as unknown[];
  }

  /** Adds a listener for signals (which the bus sends only after `AddMatch`); the returned function takes it away again. */
  listen(listener: (signal: BusSignal) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Waits for `outcome`, but no longer than the connection lives, the time-out and the signal allow. */
  async waitFor<T>(
    outcome: Promise<T>,
    options: {
      readonly what: string;
      readonly timeoutMs?: number | undefined;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<T> {
    return this.#waiting(outcome, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#lost ??= new OperationalError(
      'SYSTEMD_UNAVAILABLE',
      'the connection to the bus is closed',
    );
    this.#bus.disconnect();
    connectionOf(this.#bus).stream.destroy();
    return Promise.resolve();
  }

  async #waiting<T>(
    outcome: Promise<T>,
    options: {
      readonly what: string;
      readonly timeoutMs?: number | undefined;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<T> {
    if (this.#lost !== undefined) {
      outcome.catch(() => undefined); // the connection's own failure is what counts
      throw this.#lost;
    }
    const { what, timeoutMs, signal } = options;
    let timer: NodeJS.Timeout | undefined;
    let onAbort: (() => void) | undefined;
    let onLost: ((error: OperationalError) => void) | undefined;
    const interruption = new Promise<never>((_resolve, reject) => {
      onLost = reject;
      this.#onLost.add(reject);
      onAbort = () => {
        reject(new OperationalError('CANCELLED', `interrupted while waiting for ${what}`));
      };
      if (signal?.aborted === true) onAbort();
      signal?.addEventListener('abort', onAbort, { once: true });
      if (timeoutMs !== undefined) {
        timer = setTimeout(() => {
          reject(
            new OperationalError(
              'SYSTEMD_TIMEOUT',
              `no answer from systemd to ${what} within ${Math.round(timeoutMs / 100) / 10} s`,
            ),
          );
        }, timeoutMs);
      }
    });
    try {
      return await Promise.race([outcome, interruption]);
    } finally {
      clearTimeout(timer);
      if (onLost !== undefined) this.#onLost.delete(onLost);
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    }
  }

  #lose(why: string, cause: unknown): void {
    if (this.#lost !== undefined) return;
    this.#lost = new OperationalError(
      'SYSTEMD_UNAVAILABLE',
      `lost the connection to the system bus: ${escapeText(why)}`,
      { cause },
    );
    for (const reject of this.#onLost) reject(this.#lost);
  }
}

/** The value inside a D-Bus variant, or the value itself. */
export function unwrapVariant(value: unknown): unknown {
  return value instanceof dbus.Variant ? (value.value as unknown) : value;
}

/** A D-Bus variant of a signature. */
export function makeVariant(signature: string, value: unknown): unknown {
  return new dbus.Variant(signature, value);
}

/** The library's type for the options lacks `busAddress` and `authMethods`, which its code and manual have. */
function createConnection(busAddress: string): dbus.MessageBus {
  const connect = dbus.sessionBus as unknown as (options: {
    readonly busAddress: string;
    readonly authMethods: readonly string[];
  }) => dbus.MessageBus;
  return connect({ busAddress, authMethods: ['EXTERNAL'] });
}

/** The library tells nobody that the other side closed the connection, except through this member. */
function connectionOf(bus: dbus.MessageBus): EventEmitter & {
  readonly stream: { destroy: () => void };
} {
  return (
    bus as unknown as {
      readonly _connection: EventEmitter & { readonly stream: { destroy: () => void } };
    }
  )._connection;
}
