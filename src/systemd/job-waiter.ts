import { OperationalError } from '../errors/operational-error.js';
import type { Bus } from './bus.js';
import { asString } from './bus-values.js';
import { MANAGER } from './manager-address.js';
import { JOB_RESULTS, type JobOptions, type JobOutcome } from './unit-manager.js';

const BUS = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
} as const;

/** A job that ended before its caller knew its name is remembered; other people's jobs fill the memory only this far. */
const MAX_REMEMBERED_JOBS = 1_000;

/**
 * Waits for the end of jobs. A short job ends, and its `JobRemoved` arrives, before the reply that names it is read: so
 * the subscription stands before the first call, and what ends unasked is remembered for a while.
 */
export class JobWaiter implements AsyncDisposable {
  readonly #bus: Bus;
  readonly #ended = new Map<string, string>();
  readonly #waiting = new Map<string, (result: string) => void>();
  readonly #stopListening: () => void;

  private constructor(bus: Bus) {
    this.#bus = bus;
    this.#stopListening = bus.listen((signal) => {
      if (signal.interface !== 'org.freedesktop.systemd1.Manager') return;
      if (signal.member !== 'JobRemoved') return;
      const [, job, , result] = signal.body;
      if (typeof job === 'string' && typeof result === 'string') this.#end(job, result);
    });
  }

  /** Subscribes. */
  static async start(bus: Bus, signal: AbortSignal | undefined): Promise<JobWaiter> {
    const waiter = new JobWaiter(bus);
    const rule =
      "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";
    await bus.call({ ...BUS, member: 'AddMatch', signature: 's', body: [rule] }, { signal });
    await bus.call({ ...MANAGER, member: 'Subscribe' }, { signal });
    return waiter;
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
