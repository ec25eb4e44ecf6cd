/** Where the next character of a unit text stands. */
export interface UnitPlace {
  readonly mode: 'line-start' | 'comment' | 'header' | 'key' | 'value';
  readonly section: string;
  readonly key: string;
  /** Whether only white space stands before it in its physical line. */
  readonly atLineStart: boolean;
  /** Whether a backslash that is not itself escaped stands directly before it. */
  readonly escaped: boolean;
  /** Whether it begins a word of the value (nothing but white space between it and the one before). */
  readonly atWordStart: boolean;
  /** Number of words of the value that ended before it. */
  readonly wordIndex: number;
  /** The characters of the value's first word so far. */
  readonly firstWord: string;
}

/**
 * Follows the text of a unit character by character, as systemd reads it, so that a renderer knows what a value at this
 * place would be: see `base/unit-lines.ts` for the rules of lines; words are those of `extract_first_word()` with quotes
 * and C escapes (systemd.syntax(7), "Quoting").
 */
export class UnitScanner {
  #mode: UnitPlace['mode'] = 'line-start';
  #modeBeforeComment: UnitPlace['mode'] = 'line-start';
  #section = '';
  #token = '';
  #key = '';
  #atLineStart = true;
  #escaped = false;
  #quote: string | undefined;
  #inWord = false;
  #wordIndex = 0;
  #firstWord = '';

  get place(): UnitPlace {
    return {
      mode: this.#mode,
      section: this.#section,
      key: this.#key,
      atLineStart: this.#atLineStart,
      escaped: this.#escaped,
      atWordStart: !this.#inWord,
      wordIndex: this.#wordIndex,
      firstWord: this.#firstWord,
    };
  }

  /** Goes on over `text`. */
  feed(text: string): void {
    for (const character of text) this.#step(character);
  }

  #step(character: string): void {
    if (character === '\n') {
      this.#endLine();
      return;
    }
    const isSpace = character === ' ' || character === '\t';
    if (this.#atLineStart && (character === '#' || character === ';')) {
      // Also inside a continued line: systemd skips comment lines there and goes on with the next one.
      this.#modeBeforeComment = this.#mode;
      this.#mode = 'comment';
    }
    if (!isSpace) this.#atLineStart = false;
    switch (this.#mode) {
      case 'comment':
        return;
      case 'line-start':
        if (isSpace) return;
        this.#token = character;
        this.#mode = character === '[' ? 'header' : 'key';
        break;
      case 'header':
        this.#token += character;
        break;
      case 'key':
        if (character === '=') this.#beginValue();
        else this.#token += character;
        break;
      case 'value':
        this.#stepInValue(character, isSpace);
        break;
    }
    this.#escaped = character === '\\' && !this.#escaped;
  }

  #beginValue(): void {
    this.#key = this.#token.trim();
    this.#mode = 'value';
    this.#quote = undefined;
    this.#inWord = false;
    this.#wordIndex = 0;
    this.#firstWord = '';
  }

  #stepInValue(character: string, isSpace: boolean): void {
    if (isSpace && this.#quote === undefined && !this.#escaped) {
      if (this.#inWord) this.#wordIndex += 1;
      this.#inWord = false;
      return;
    }
    this.#inWord = true;
    if (this.#wordIndex === 0) this.#firstWord += character;
    if (this.#escaped) return;
    if (this.#quote === character) this.#quote = undefined;
    else if (this.#quote === undefined && (character === '"' || character === "'")) {
      this.#quote = character;
    }
  }

  #endLine(): void {
    this.#atLineStart = true;
    if (this.#mode === 'comment') {
      this.#mode = this.#modeBeforeComment;
      return;
    }
    if (this.#escaped && this.#mode !== 'line-start') {
      // Backslash and line end together are one space.
      this.#escaped = false;
      if (this.#mode === 'value') this.#stepInValue(' ', true);
      return;
    }
    if (this.#mode === 'header') this.#section = this.#token.trim().replace(/^\[|\]$/g, '');
    this.#mode = 'line-start';
    this.#escaped = false;
    this.#token = '';
  }
}
