/** What encloses a place outside of strings. */
export type JsonContext = 'array' | 'object' | 'member-value' | 'document';

/** Follows the text of a JSON document and knows whether the next character stands in a string, and in what container. */
export class JsonScanner {
  inString = false;
  /** Inside a string, directly after a backslash that is not itself escaped. */
  escaped = false;
  readonly #stack: ('array' | 'object')[] = [];
  #afterColon = false;

  get context(): JsonContext {
    if (this.#afterColon) return 'member-value';
    return this.#stack.at(-1) ?? 'document';
  }

  /** Goes on over `text`. */
  feed(text: string): void {
    for (const character of text) this.#step(character);
  }

  #step(character: string): void {
    if (this.inString) {
      if (character === '"' && !this.escaped) this.inString = false;
      this.escaped = character === '\\' && !this.escaped;
      return;
    }
    if (character === '"') this.inString = true;
    else if (character === '[') this.#stack.push('array');
    else if (character === '{') this.#stack.push('object');
    else if (character === ']' || character === '}') this.#stack.pop();
    if (character === ':') this.#afterColon = true;
    else if (!/\s/.test(character)) this.#afterColon = false;
  }
}
