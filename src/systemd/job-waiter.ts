import { OperationalError } from '../errors/operational-error.js';
import { DBusCallError, type Bus, type BusCall, type BusSignal } from './bus.js';
import { asString } from './bus-values.js';
import { MANAGER } from './manager-address.js';
import { JOB_RESULTS, type JobOptions, type JobOutcome } from './unit-manager.js';

const BUS = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
} as const;

/** What is to be sent to us: ends of jobs, and who is called systemd now. */
const RULES = [
  `type='signal',sender='${MANAGER.destination}',interface='${MANAGER.interface}',member='JobRemoved'`,
  `type='signal',sender='${BUS.destination}',interface='${BUS.interface}',member='NameOwnerChanged',arg0='${MANAGER.destination}'`,
];

/** A job that ended before its caller knew its name is remembered; other people's jobs fill the memory only this far. */
const MAX_REMEMBERED_JOBS = 1_000;

/**
 * Waits for the end of jobs. A short job ends, and its `JobRemoved` arrives, before the reply that names it is read: so
 * the subscription stands before the first call, and what ends unasked is remembered for a while.
 *
 * Rules keep nobody from sending us a signal by our own name, which the policy of the system bus allows all users: what did not come
 * from systemd's connection is not believed. systemd gets a new one when it executes itself again.
 */
export class JobWaiter implements AsyncDisposable {
  readonly #bus: Bus;
  readonly #ended = new Map<string, string>();
  readonly #waiting = new Map<string, (result: string) => void>();
  /** Connections that systemd has or had; the bus gives none of these names twice. */
  readonly #managers = new Set<string>();
  readonly #stopListening: () => void;

  private constructor(bus: Bus) {
    this.#bus = bus;
    this.#stopListening = bus.listen((signal) => {
      this.#take(signal);
    });
  }

  /** Subscribes. */
  static async start(bus: Bus, signal: AbortSignal | undefined): Promise<JobWaiter> {
    const waiter = new JobWaiter(bus);
    const call = (what: BusCall): Promise<readonly unknown[]> => bus.call(what, { signal });
    // Sent at once, and done in this order.
    await Promise.all([
      ...RULES.map((rule) => call({ ...BUS, member: 'AddMatch', signature: 's', body: [rule] })),
      call({ ...MANAGER, member: 'Subscribe' }),
      waiter.#findManager(call),
    ]);
    return waiter;
  }

  async #findManager(call: (what: BusCall) => Promise<readonly unknown[]>): Promise<void> {
    try {
      const body = [MANAGER.destination];
      const [owner] = await call({ ...BUS, member: 'GetNameOwner', signature: 's', body });
      this.#managers.add(asString(owner));
    } catch (error) {
      // It is not there just now; when it comes, we are told.
      if (error instanceof DBusCallError && error.errorName.endsWith('.NameHasNoOwner')) return;
      throw error;
    }
  }

  /** Runs `begin`, which starts a job and gives its object path, and waits for that job's end. */
  async run(what: string, options: JobOptions, begin: () => Promise<string>): Promise<JobOutcome> {
    const job = await begin();
    const remembered = this.#ended.get(job);
    if (remembered !== undefined) {
      this.#ended.delete(job);
      return toOutcome(remembered);
    }
    const end = new Promise<string>((resolve) => {
      this.#waiting.set(job, resolve);
    });
    try {
      return toOutcome(await this.#bus.waitFor(end, { what, ...options }));
    } finally {
      this.#waiting.delete(job);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#stopListening();
    return Promise.resolve();
  }

  #take({ sender, interface: name, member, body }: BusSignal): void {
    if (sender === BUS.destination && member === 'NameOwnerChanged') {
      const [taken, , owner] = body;
      if (taken !== MANAGER.destination || typeof owner !== 'string') return;
      if (owner !== '') this.#managers.add(owner);
      return;
    }
    if (name !== MANAGER.interface || member !== 'JobRemoved') return;
    const [, job, , result] = body;
    if (!this.#managers.has(sender)) return;
    if (typeof job === 'string' && typeof result === 'string') this.#end(job, result);
  }

  #end(job: string, result: string): void {
    const resolve = this.#waiting.get(job);
    if (resolve !== undefined) {
      resolve(result);
      return;
    }
    this.#ended.set(job, result);
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > MAX_REMEMBERED_JOBS && oldest !== undefined) this.#ended.delete(oldest);
  }
}

function toOutcome(text: string): JobOutcome {
  const result = JOB_RESULTS.find((known) => known === text);
  if (result === undefined) {
    throw new OperationalError(
      'SYSTEMD_PROTOCOL',
      `systemd answered outside its interface: a job ended with ${asString(text)}`,
    );
  }
  return { result };
}
