import { OperationalError } from '../errors/operational-error.js';
import { quote } from './escape-text.js';

/** A JSON value as {@link parseStrictJson} gives it: objects have no prototype, numbers are finite. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object; made with a null prototype, so `__proto__` and `constructor` are keys like any other. */
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

/** The same as {@link parseExactJson} gives it: whole numbers that a double cannot hold are there to the last digit. */
export type ExactJson =
  null | boolean | number | bigint | string | readonly ExactJson[] | ExactJsonObject;

/** An object of {@link ExactJson}. */
export interface ExactJsonObject {
  readonly [key: string]: ExactJson | undefined;
}

/** Limits of one document. */
export interface StrictJsonOptions {
  /** What the document is, for messages: "the manifest of 'etcd'". */
  readonly what: string;
  /** Deepest nesting; 64 unless given. Real documents of the OCI formats stay below 12. */
  readonly maxDepth?: number;
  /** Most values in the document; 200,000 unless given (a 4 MiB manifest of small values has fewer). */
  readonly maxValues?: number;
  /** Whether keys that differ only in case are refused: Go readers fold case, so such a document means two things. */
  readonly refuseCaseTwins?: boolean;
}

/**
 * Parses JSON (RFC 8259) the way a document that decides something must be parsed: UTF-8 only, no duplicate keys at any
 * depth (image-spec considerations.md, "Canonical JSON"), nothing after the value, bounded depth and count, no
 * prototypes. Integers beyond 2^53 come out as the nearest double, so readers of sizes check `Number.isSafeInteger`.
 *
 * @throws {@link OperationalError} JSON_INVALID with line and column
 */
export function parseStrictJson(
  source: string | Uint8Array,
  options: StrictJsonOptions,
): JsonValue {
  const parser = new StrictJsonParser(decode(source, options.what), options);
  return parser.parseDocument() as JsonValue;
}

/**
 * The same for a document that is written again: what is a limit of 2^64-1 has to stay one.
 *
 * @throws as {@link parseStrictJson}
 */
export function parseExactJson(source: string | Uint8Array, options: StrictJsonOptions): ExactJson {
  return new StrictJsonParser(decode(source, options.what), options, true).parseDocument();
}

function decode(source: string | Uint8Array, what: string): string {
  if (typeof source === 'string') return source;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(source);
  } catch (cause) {
    throw new OperationalError('JSON_INVALID', `${what} is not UTF-8 text`, { cause });
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const PLAIN_STRING = /[^"\\\u0000-\u001f]*/y;
const WHITE_SPACE = /[ \t\n\r]*/y;

class StrictJsonParser {
  readonly #text: string;
  readonly #options: StrictJsonOptions;
  readonly #maxDepth: number;
  readonly #exact: boolean;
  #position = 0;
  #valuesLeft: number;

  constructor(text: string, options: StrictJsonOptions, exact = false) {
    this.#text = text;
    this.#exact = exact;
    this.#options = options;
    this.#maxDepth = options.maxDepth ?? 64;
    this.#valuesLeft = options.maxValues ?? 200_000;
  }

  parseDocument(): ExactJson {
    this.#skipWhiteSpace();
    const value = this.#parseValue(0);
    this.#skipWhiteSpace();
    if (this.#position < this.#text.length) this.#fail('text after the end of the document');
    return value;
  }

  #parseValue(depth: number): ExactJson {
    if (--this.#valuesLeft < 0) this.#fail('too many values');
    if (depth > this.#maxDepth) this.#fail(`nested deeper than ${this.#maxDepth} levels`);
    switch (this.#text[this.#position]) {
      case '{':
        return this.#parseObject(depth);
      case '[':
        return this.#parseArray(depth);
      case '"':
        return this.#parseString();
      case 't':
        return this.#parseWord('true', true);
      case 'f':
        return this.#parseWord('false', false);
      case 'n':
        return this.#parseWord('null', null);
      default:
        return this.#parseNumber();
    }
  }

  #parseObject(depth: number): ExactJsonObject {
    const object = Object.create(null) as Record<string, ExactJson>;
    const folded = new Set<string>();
    this.#position++;
    this.#skipWhiteSpace();
    if (this.#take('}')) return object;
    for (;;) {
      if (this.#text[this.#position] !== '"') this.#fail('expected a key in double quotes');
      const key = this.#parseString();
      if (key in object) this.#fail(`key ${quote(key)} stands twice in one object`);
      if (this.#options.refuseCaseTwins === true) {
        const fold = key.toLowerCase();
        if (folded.has(fold)) this.#fail(`key ${quote(key)} differs from another only in case`);
        folded.add(fold);
      }
      this.#skipWhiteSpace();
      if (!this.#take(':')) this.#fail(`expected ':' after key ${quote(key)}`);
      this.#skipWhiteSpace();
      object[key] = this.#parseValue(depth + 1);
      this.#skipWhiteSpace();
      if (this.#take('}')) return object;
      if (!this.#take(',')) this.#fail("expected ',' or '}'");
      this.#skipWhiteSpace();
    }
  }

  #parseArray(depth: number): ExactJson[] {
    const array: ExactJson[] = [];
    this.#position++;
    this.#skipWhiteSpace();
    if (this.#take(']')) return array;
    for (;;) {
      array.push(this.#parseValue(depth + 1));
      this.#skipWhiteSpace();
      if (this.#take(']')) return array;
      if (!this.#take(',')) this.#fail("expected ',' or ']'");
      this.#skipWhiteSpace();
    }
  }

  #parseString(): string {
    let result = '';
    this.#position++;
    for (;;) {
      result += this.#match(PLAIN_STRING) ?? '';
      const character = this.#text[this.#position];
      if (character === '"') {
        this.#position++;
        return result;
      }
      if (character !== '\\') this.#fail('control character or end of text inside a string');
      result += this.#parseEscape();
    }
  }

  #parseEscape(): string {
    const escape = this.#text[this.#position + 1] ?? '';
    const simple = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }[
      escape
    ];
    if (simple !== undefined) {
      this.#position += 2;
      return simple;
    }
    const hex = this.#text.slice(this.#position + 2, this.#position + 6);
    if (escape !== 'u' || !/^[0-9a-fA-F]{4}$/.test(hex)) this.#fail('unknown escape in a string');
    this.#position += 6;
    return String.fromCharCode(parseInt(hex, 16));
  }

  #parseNumber(): number | bigint {
    const digits = this.#match(NUMBER);
    if (digits === undefined || digits === '') this.#fail('expected a value');
    const value = Number(digits);
    if (!Number.isFinite(value)) this.#fail(`number ${quote(digits)} is out of range`);
    return this.#exact && !Number.isSafeInteger(value) && /^-?\d+$/.test(digits)
      ? BigInt(digits)
      : value;
  }

  #parseWord<T extends JsonValue>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#position)) this.#fail('expected a value');
    this.#position += word.length;
    return value;
  }

  #skipWhiteSpace(): void {
    this.#match(WHITE_SPACE);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#position += found.length;
    return found;
  }

  #take(character: string): boolean {
    if (this.#text[this.#position] !== character) return false;
    this.#position++;
    return true;
  }

  #fail(problem: string): never {
    const before = this.#text.slice(0, this.#position);
    const line = before.split('\n').length;
    const column = this.#position - before.lastIndexOf('\n');
    throw new OperationalError(
      'JSON_INVALID',
      `${this.#options.what} is not valid JSON: ${problem} (line ${line}, column ${column})`,
    );
  }
}
