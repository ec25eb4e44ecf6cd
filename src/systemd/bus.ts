import { escapeText, quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { Variant } from './wire/variant.js';
import { WireConnection } from './wire/wire-connection.js';
import { encodeCall, MESSAGE, type ArrivedMessage } from './wire/wire-message.js';

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
  /** The name of the connection that sent it (`:1.0`), or of the bus itself: written by the bus. */
  readonly sender: string;
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
  /** What is waited for, in the words of a time-out; the method's name unless given. */
  readonly what?: string;
  /** Called when the call is on its way, or never will be: the other side works on it while we do something else. */
  readonly onSent?: () => void;
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

/** The call by which the bus takes us in; until then it takes no other. */
const HELLO: BusCall = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
  member: 'Hello',
};

/** A call that waits for its reply. */
interface PendingCall {
  readonly member: string;
  readonly resolve: (body: readonly unknown[]) => void;
  readonly reject: (error: DBusCallError) => void;
}

/**
 * A connection to a message bus: calls with time-outs, signals, and one clear failure of everything that waits when the
 * connection is lost. berth speaks D-Bus itself: of the libraries for Node the lightest takes as long to load as Node does.
 */
export class Bus implements AsyncDisposable {
  readonly #connection: WireConnection;
  readonly #pending = new Map<number, PendingCall>();
  readonly #listeners = new Set<(signal: BusSignal) => void>();
  readonly #onLost = new Set<(error: OperationalError) => void>();
  #lost: OperationalError | undefined;
  readonly #welcomed: Promise<unknown>;
  #serial = 0;

  private constructor(socket: string, uid: number | undefined) {
    const listener = {
      onMessage: (message: ArrivedMessage) => {
        this.#take(message);
      },
      onLost: (why: string, cause: unknown) => {
        this.#lose(why, cause);
      },
    };
    this.#connection = new WireConnection(socket, listener, uid);
    this.#welcomed = this.call(HELLO, {
      timeoutMs: CONNECT_TIMEOUT_MS,
      what: `the bus at ${quote(socket)}`,
    });
    this.#welcomed.catch((error: unknown) => {
      this.#failAll(
        error instanceof OperationalError
          ? error
          : new OperationalError('SYSTEMD_UNAVAILABLE', 'the bus does not take us in', {
              cause: error,
            }),
      );
    });
  }

  /**
   * Begins to connect to the bus whose socket is given, and gives what calls can be made on at once: they are sent right behind
   * the greeting. If nobody is there, or we are not let in, all of them fail with SYSTEMD_UNAVAILABLE. `uid` is who we are
   * outside of the user namespace that we are in.
   */
  static open(socket: string, uid?: number): Bus {
    return new Bus(socket, uid);
  }

  /**
   * The same, once the bus has taken us in.
   *
   * @throws {@link OperationalError} SYSTEMD_UNAVAILABLE
   */
  static async connect(socket: string, uid?: number): Promise<Bus> {
    const bus = Bus.open(socket, uid);
    try {
      await bus.#welcomed;
      return bus;
    } catch (error) {
      await bus[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Calls a method and gives the reply's body.
   *
   * @throws {@link DBusCallError} if the other side answers with an error
   * @throws {@link OperationalError} SYSTEMD_TIMEOUT, CANCELLED, SYSTEMD_UNAVAILABLE if the connection is lost
   */
  async call(call: BusCall, options: BusCallOptions = {}): Promise<readonly unknown[]> {
    if (this.#lost !== undefined) throw this.#lost;
    const serial = ++this.#serial;
    const message = encodeCall({ signature: '', body: [], ...call, serial });
    const reply = new Promise<readonly unknown[]>((resolve, reject) => {
      this.#pending.set(serial, { member: call.member, resolve, reject });
    });
    this.#connection.send(message, options.onSent);
    try {
      return await this.#waiting(reply, {
        what: options.what ?? call.member,
        timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
        signal: options.signal,
      });
    } finally {
      this.#pending.delete(serial);
    }
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

  /** Closes the connection; what still waits fails. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#connection.close();
    this.#failAll(
      new OperationalError('SYSTEMD_UNAVAILABLE', 'the connection to the bus is closed'),
    );
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

  #take(message: ArrivedMessage): void {
    const { sender, path, interface: name, member, body } = message;
    if (message.type === MESSAGE.signal) {
      for (const listener of this.#listeners) {
        listener({ sender, path, interface: name, member, body });
      }
      return;
    }
    // Nobody calls us: whoever has a reply to give or an error, names the call.
    const pending = this.#pending.get(message.replySerial);
    if (message.type === MESSAGE.reply) pending?.resolve(body);
    if (message.type !== MESSAGE.error) return;
    const [text] = body;
    pending?.reject(
      new DBusCallError(
        pending.member,
        escapeText(message.errorName),
        typeof text === 'string' ? text : '',
      ),
    );
  }

  #lose(why: string, cause: unknown): void {
    this.#failAll(
      new OperationalError(
        'SYSTEMD_UNAVAILABLE',
        `lost the connection to the bus: ${escapeText(why)}`,
        {
          cause,
          hint: isErrno(cause, 'ECONNREFUSED')
            ? "nobody listens there any more: 'systemctl start dbus.socket', or log in again"
            : undefined,
        },
      ),
    );
  }

  #failAll(error: OperationalError): void {
    this.#lost ??= error;
    for (const reject of this.#onLost) reject(this.#lost);
  }
}

/** The value inside a D-Bus variant, or the value itself. */
export function unwrapVariant(value: unknown): unknown {
  return value instanceof Variant ? value.value : value;
}

/** A D-Bus variant of a signature. */
export function makeVariant(signature: string, value: unknown): unknown {
  return new Variant(signature, value);
}
