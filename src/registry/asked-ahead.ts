/** Answers that somebody asked for before they are needed, by what they answer; each is given once. */
export class AskedAhead<T> {
  /** Undefined where it was given, or nobody waits for it any more. */
  readonly #answers = new Map<string, Promise<T> | undefined>();

  /** Asks, unless somebody did before. Ends when the answer is there, or there will be none: who needs it asks again. */
  async ask(key: string, ask: () => Promise<T>): Promise<void> {
    if (this.#answers.has(key)) return;
    const answer = ask();
    this.#answers.set(key, answer);
    await answer.catch(() => undefined);
  }

  /** The answer; undefined where nobody has asked yet, and nobody need any more, or where it was a failure. */
  async take(key: string): Promise<T | undefined> {
    const answer = this.#answers.get(key);
    this.#answers.set(key, undefined);
    return await answer?.catch(() => undefined);
  }
}
