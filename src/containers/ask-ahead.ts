import { findContainer } from './container-directory.js';
import { findSet, setNameOf } from './container-sets.js';
import type { Host } from './host.js';

/**
 * Targets of which is asked while another is at work: what is known of one is minutes old at most when its turn comes, and a registry
 * has a second to answer where updates take ten.
 */
const TARGETS_AHEAD = 8;

/** Requests to one registry at a time: as many as layers are fetched side by side. */
const AT_ONCE = 4;

/**
 * Asks registries what the references of containers mean now, before it is the turn of each: one after the other, everything that
 * there is would wait for every answer. Takes no lock and changes nothing; what goes wrong is told by whoever needs the answer and
 * asks again. Dispose of it to end what is still asked.
 */
export class RegistriesAhead implements AsyncDisposable {
  readonly #host: Host;
  readonly #targets: readonly string[];
  readonly #over = new AbortController();
  readonly #signal: AbortSignal;
  readonly #turns = new Map<string, Turns>();
  readonly #asking: Promise<void>[] = [];
  /** How many of the targets were begun with. */
  #begun = 0;

  /** @param targets Names of containers, and `@SET`, in the order in which they come */
  constructor(host: Host, targets: readonly string[]) {
    this.#host = host;
    this.#targets = targets;
    this.#signal = AbortSignal.any([host.signal, this.#over.signal]);
  }

  /** Tells whose turn it is: those that come next are asked for. Does not wait. */
  goOn(target: string): void {
    const end = this.#targets.indexOf(target) + 1 + TARGETS_AHEAD;
    for (const next of this.#targets.slice(this.#begun, end)) {
      this.#begun += 1;
      // Of whom it is the turn asks himself, at once.
      if (next !== target) this.#asking.push(this.#askFor(next).catch(() => undefined));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#asking);
  }

  async #askFor(target: string): Promise<void> {
    const { paths } = this.#host;
    const set = setNameOf(target);
    const names = set === undefined ? [target] : ((await findSet(paths, set))?.members ?? []);
    const found = await Promise.all(names.map((name) => findContainer(paths, name)));
    const references = new Set(found.flatMap((one) => one?.image.reference ?? []));
    await Promise.all([...references].map((reference) => this.#ask(reference)));
  }

  async #ask(reference: string): Promise<void> {
    await using source = await this.#host.openSource(reference, { preferStored: true });
    const registry = source.repository?.registry;
    if (source.askAhead === undefined || registry === undefined) return;
    let turns = this.#turns.get(registry);
    if (turns === undefined) this.#turns.set(registry, (turns = new Turns(AT_ONCE)));
    await turns.take();
    try {
      if (!this.#signal.aborted) await source.askAhead({ signal: this.#signal });
    } finally {
      turns.pass();
    }
  }
}

/** So many at a time, the others in the order in which they came. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  pass(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
