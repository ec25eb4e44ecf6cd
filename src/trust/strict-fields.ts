import { decodeBase64 } from '../base/decode-base64.js';
import { quote } from '../base/escape-text.js';
import { parseStrictJson, type JsonObject, type JsonValue } from '../base/strict-json.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { OperationalError } from '../errors/operational-error.js';

/** Where an object stands, and what is thrown for what is wrong in it. */
interface Place {
  /** The document, for messages. */
  readonly what: string;
  readonly path: string;
  readonly code: ErrorCode;
}

/**
 * The members of an object in a document that decides what is trusted: every key has to be one that is known, `null` is a value
 * like any other and none of ours, and a key in other capitals is another key.
 */
export class StrictFields {
  readonly #object: JsonObject;
  readonly #place: Place;

  constructor(value: JsonValue | undefined, place: Place) {
    this.#place = place;
    if (typeof value !== 'object' || value === null || isList(value))
      this.fail('', 'is not an object');
    this.#object = value;
  }

  /**
   * Parses a document whose top is an object.
   *
   * @throws OperationalError of `code`, also for what is no JSON
   */
  static parse(source: Uint8Array, at: Omit<Place, 'path'>): StrictFields {
    let value: JsonValue;
    try {
      value = parseStrictJson(source, { what: at.what, refuseCaseTwins: false, maxDepth: 16 });
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      throw new OperationalError(at.code, error.message, { cause: error.cause });
    }
    return new StrictFields(value, { ...at, path: '' });
  }

  get keys(): readonly string[] {
    return Object.keys(this.#object);
  }

  has(key: string): boolean {
    return this.#object[key] !== undefined;
  }

  /** Refuses every other key: what is not understood may be what matters. */
  allowOnly(...known: readonly string[]): void {
    for (const key of this.keys) if (!known.includes(key)) this.fail(key, 'is unknown');
  }

  text(key: string): string {
    const value = this.#object[key];
    if (value === undefined) this.fail(key, 'is missing');
    return this.#asText(value, key);
  }

  /** A list of texts with at least one of them. */
  texts(key: string): readonly string[] {
    return this.#list(key).map((item, index) => this.#asText(item, `${key}[${index}]`));
  }

  /** Whether the member is an empty list. Where nothing has to be there, some write that, and others no member. */
  isEmpty(key: string): boolean {
    const value = this.#object[key];
    return isList(value) && value.length === 0;
  }

  object(key: string): StrictFields {
    const value = this.#object[key];
    if (value === undefined) this.fail(key, 'is missing');
    return new StrictFields(value, { ...this.#place, path: this.#pathOf(key) });
  }

  /** A list of objects with at least one of them. */
  objects(key: string): readonly StrictFields[] {
    return this.#list(key).map(
      (item, index) =>
        new StrictFields(item, { ...this.#place, path: this.#pathOf(`${key}[${index}]`) }),
    );
  }

  value(key: string): JsonValue | undefined {
    return this.#object[key];
  }

  /** Throws for the member `key`; the empty key is the object itself. */
  fail(key: string, why: string): never {
    const { what, code } = this.#place;
    const path = key === '' ? this.#place.path : this.#pathOf(key);
    throw new OperationalError(
      code,
      path === '' ? `${what} ${why}` : `${what}: ${quote(path)} ${why}`,
    );
  }

  #list(key: string): readonly JsonValue[] {
    const value = this.#object[key];
    if (value === undefined) this.fail(key, 'is missing');
    if (!isList(value)) this.fail(key, 'is not a list');
    if (value.length === 0) this.fail(key, 'is an empty list');
    return value;
  }

  #asText(value: JsonValue, key: string): string {
    if (typeof value !== 'string') this.fail(key, 'is not text');
    if (value.includes('\0')) this.fail(key, 'holds a NUL character');
    return value;
  }

  #pathOf(key: string): string {
    return this.#place.path === '' ? key : `${this.#place.path}.${key}`;
  }
}

/** The bytes of a member in base64. */
export function decodeField(fields: StrictFields, key: string): Buffer {
  return decodeBase64(fields.text(key)) ?? fields.fail(key, 'is not base64');
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}
