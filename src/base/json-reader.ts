import { OperationalError } from '../errors/operational-error.js';
import type { JsonObject, JsonValue } from './strict-json.js';

/**
 * Reads typed values out of a parsed document; a wrong type is refused with the path of the member
 * (`expected a string at /image/digest`). Used for the documents that berth itself wrote: they may be damaged, or come
 * from a newer version, and neither may look like a bug.
 */
export class JsonReader {
  readonly #value: JsonValue | undefined;
  readonly #path: string;
  readonly #what: string;

  constructor(value: JsonValue | undefined, what: string, path = '') {
    this.#value = value;
    this.#what = what;
    this.#path = path;
  }

  /** Whether the member is there and not null. */
  get present(): boolean {
    return this.#value !== undefined && this.#value !== null;
  }

  member(key: string): JsonReader {
    return new JsonReader(this.object()[key], this.#what, `${this.#path}/${key}`);
  }

  object(): JsonObject {
    const value = this.#value;
    if (typeof value !== 'object' || value === null || isArray(value))
      return this.#fail('an object');
    return value;
  }

  string(): string {
    return typeof this.#value === 'string' ? this.#value : this.#fail('a string');
  }

  optionalString(): string | undefined {
    return this.present ? this.string() : undefined;
  }

  boolean(): boolean {
    return typeof this.#value === 'boolean' ? this.#value : this.#fail('true or false');
  }

  /** A safe integer. */
  integer(): number {
    return Number.isSafeInteger(this.#value) ? (this.#value as number) : this.#fail('an integer');
  }

  optionalInteger(): number | undefined {
    return this.present ? this.integer() : undefined;
  }

  /** The elements of a list; none where the member is missing. */
  list(): readonly JsonReader[] {
    if (!this.present) return [];
    const value = this.#value as JsonValue;
    if (!isArray(value)) return this.#fail('a list');
    return value.map((item, index) => new JsonReader(item, this.#what, `${this.#path}/${index}`));
  }

  strings(): readonly string[] {
    return this.list().map((item) => item.string());
  }

  /** The members of an object whose values are strings; none where it is missing. */
  stringMap(): Readonly<Record<string, string>> {
    if (!this.present) return {};
    return Object.fromEntries(
      Object.keys(this.object()).map((key) => [key, this.member(key).string()]),
    );
  }

  #fail(expected: string): never {
    throw new OperationalError(
      'CONTAINER_STATE_INVALID',
      `${this.#what} is damaged: expected ${expected} at ${this.#path === '' ? 'the top' : this.#path}`,
    );
  }
}

function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
