/**
 * Undo steps in the order they have to run: last in, first out. `await using scope = new AsyncScope()` runs them when
 * the block is left; {@link AsyncScope.commit} forgets them. The first failure wins; later ones are kept in
 * `suppressed` of it where it has that list.
 */
export class AsyncScope implements AsyncDisposable {
  #steps: (() => unknown)[] = [];

  /** Adds a step; it may return a promise. */
  defer(step: () => unknown): void {
    this.#steps.push(step);
  }

  /** Takes over a resource: disposed of with the scope. */
  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    this.defer(async () => {
      if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]();
      else resource[Symbol.dispose]();
    });
    return resource;
  }

  /** Forgets all steps: what they would undo stays. */
  commit(): void {
    this.#steps = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === 0) return;
    const [first, ...rest] = failures;
    if (first instanceof Error && 'suppressed' in first && Array.isArray(first.suppressed)) {
      first.suppressed.push(...rest);
    }
    throw first;
  }
}
