import { quote } from '../base/escape-text.js';
import { parseStrictJson, type JsonObject, type JsonValue } from '../base/strict-json.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { OperationalError } from '../errors/operational-error.js';

/**
 * The members of one object of a foreign document, read with their types checked. `null` counts as absent, as Go's
 * encoders write it for empty lists and maps; a NUL in any text is refused, because texts end up in paths, argument
 * vectors and environments, where it would cut them short.
 */
export class JsonFields {
  readonly #object: JsonObject;
  readonly #what: string;
  readonly #path: string;
  readonly #code: ErrorCode;

  constructor(
    value: JsonValue | undefined,
    at: { readonly what: string; readonly path: string; readonly code: ErrorCode },
  ) {
    this.#what = at.what;
    this.#path = at.path;
    this.#code = at.code;
    if (!isObject(value)) this.fail('', 'is not an object');
    this.#object = value;
  }

  /** Parses a document whose top is an object. Twins that differ in case only are refused: Go readers fold case. */
  static parse(
    source: Uint8Array,
    at: { readonly what: string; readonly code: ErrorCode },
  ): JsonFields {
    const value = parseStrictJson(source, { what: at.what, refuseCaseTwins: true });
    return new JsonFields(value, { ...at, path: '' });
  }

  /** Whether the member is there, `null` included. */
  has(key: string): boolean {
    return this.#object[key] !== undefined;
  }

  /** Text that must be there. */
  string(key: string): string {
    return this.optionalString(key) ?? this.fail(key, 'is missing');
  }

  /** Text, or undefined. */
  optionalString(key: string): string | undefined {
    const value = this.#object[key] ?? undefined;
    return value === undefined ? undefined : this.#text(value, key);
  }

  /** A whole number that is not negative and that a double holds exactly (image-spec considerations.md). */
  count(key: string): number {
    return this.optionalCount(key) ?? this.fail(key, 'is missing');
  }

  /** As {@link JsonFields.count}, or undefined. */
  optionalCount(key: string): number | undefined {
    const value = this.#object[key] ?? undefined;
    if (value === undefined) return undefined;
    if (
      typeof value !== 'number' ||
      !Number.isSafeInteger(value) ||
      value < 0 ||
      Object.is(value, -0)
    ) {
      this.fail(key, 'is not a whole number from 0 to 2^53-1');
    }
    return value;
  }

  /** An object that must be there. */
  object(key: string): JsonFields {
    return this.optionalObject(key) ?? this.fail(key, 'is missing');
  }

  /** An object, or undefined. */
  optionalObject(key: string): JsonFields | undefined {
    const value = this.#object[key] ?? undefined;
    return value === undefined ? undefined : this.#below(value, key);
  }

  /** A list of objects that must be there (`null` is not a list), of at most `max` items. */
  objects(key: string, max: number): readonly JsonFields[] {
    const value = this.#object[key];
    if (!Array.isArray(value)) this.fail(key, value === undefined ? 'is missing' : 'is not a list');
    const items = value as readonly JsonValue[];
    if (items.length > max) this.fail(key, `has more than ${max} items`);
    return items.map((item, index) => this.#below(item, `${key}[${index}]`));
  }

  /** As {@link JsonFields.objects}; empty where the member is absent. */
  optionalObjects(key: string, max: number): readonly JsonFields[] {
    return (this.#object[key] ?? undefined) === undefined ? [] : this.objects(key, max);
  }

  /** A list of texts; empty where the member is absent. */
  strings(key: string): readonly string[] {
    const value = this.#object[key] ?? undefined;
    if (value === undefined) return [];
    if (!Array.isArray(value)) this.fail(key, 'is not a list');
    return (value as readonly JsonValue[]).map((item, index) =>
      this.#text(item, `${key}[${index}]`),
    );
  }

  /** A map of texts; empty where the member is absent. */
  stringMap(key: string): Readonly<Record<string, string>> {
    const value = this.#object[key] ?? undefined;
    const map = Object.create(null) as Record<string, string>;
    if (value === undefined) return map;
    if (!isObject(value)) this.fail(key, 'is not an object');
    for (const [name, text] of Object.entries(value)) {
      map[this.#text(name, key)] = this.#text(text ?? null, `${key}.${name}`);
    }
    return map;
  }

  /** The keys of a map whose values say nothing (`Volumes`, `ExposedPorts`); empty where the member is absent. */
  keys(key: string): readonly string[] {
    const value = this.#object[key] ?? undefined;
    if (value === undefined) return [];
    if (!isObject(value)) this.fail(key, 'is not an object');
    return Object.keys(value).map((name) => this.#text(name, key));
  }

  /** Throws for the member `key`; the empty key is the object itself. */
  fail(key: string, why: string): never {
    const path = [this.#path, key].filter((part) => part !== '').join('.');
    throw new OperationalError(
      this.#code,
      path === '' ? `${this.#what} ${why}` : `${this.#what}: ${quote(path)} ${why}`,
    );
  }

  #below(value: JsonValue, key: string): JsonFields {
    const path = this.#path === '' ? key : `${this.#path}.${key}`;
    return new JsonFields(value, { what: this.#what, path, code: this.#code });
  }

  #text(value: JsonValue, key: string): string {
    if (typeof value !== 'string') this.fail(key, 'is not text');
    if (value.includes('\0')) this.fail(key, 'holds a NUL character');
    return value;
  }
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
