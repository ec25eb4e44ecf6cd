import { quote } from '../base/escape-text.js';
import type { JsonObject, JsonValue } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';

/** Longest list in a config.json: published ones stay below 300, and every entry costs the launcher time at boot. */
const MAX_ITEMS = 16_384;

/**
 * Reads the members of one JSON object by type. `null` counts as absent, as Go's encoder writes it for empty lists;
 * anything else of a wrong type is refused with the path to it.
 */
export class ObjectReader {
  /** The path to this object, for messages: `linux.resources`. */
  readonly path: string;
  readonly #object: JsonObject;

  /** @throws {@link OperationalError} RUNTIME_CONFIG_INVALID if the value is not an object */
  constructor(value: JsonValue, path: string) {
    this.path = path;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new OperationalError('RUNTIME_CONFIG_INVALID', `${quote(path)} is not an object`);
    }
    this.#object = value as JsonObject;
  }

  /** The path to a member. */
  at(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }

  /** Refuses the document because of a member. */
  refuse(key: string, problem: string): never {
    throw new OperationalError('RUNTIME_CONFIG_INVALID', `${quote(this.at(key))} ${problem}`);
  }

  /** Whether the member is there, and not null. */
  has(key: string): boolean {
    return this.value(key) !== undefined;
  }

  /** The member as it stands; undefined if absent or null. */
  value(key: string): JsonValue | undefined {
    return this.#object[key] ?? undefined;
  }

  /** The names of all members. */
  keys(): readonly string[] {
    return Object.keys(this.#object);
  }

  /** A text without NUL bytes: these end a string in every system call. */
  string(key: string): string | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') this.refuse(key, 'is not a text');
    if (value.includes('\0')) this.refuse(key, 'has a NUL character');
    return value;
  }

  /** A text that must be there. */
  requiredString(key: string): string {
    return this.string(key) ?? this.refuse(key, 'is missing');
  }

  /** A truth value; false if absent. */
  boolean(key: string): boolean {
    const value = this.value(key) ?? false;
    if (typeof value !== 'boolean') this.refuse(key, 'is not true or false');
    return value;
  }

  /** A whole number in a range (by default that of a safe integer). */
  integer(key: string, range: { min?: number; max?: number } = {}): number | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.refuse(key, 'is not a whole number that can be represented');
    }
    const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = range;
    if (value < min || value > max) this.refuse(key, `is not between ${min} and ${max}`);
    return value;
  }

  /** A user or group id: 32 bits, and the last value means "no change" to the kernel. */
  id(key: string): number | undefined {
    return this.integer(key, { min: 0, max: 0xffff_fffe });
  }

  /** A list of texts; empty if absent. */
  strings(key: string): readonly string[] {
    return this.list(key).map((value, index) => {
      if (typeof value !== 'string') this.refuse(`${key}[${index}]`, 'is not a text');
      if (value.includes('\0')) this.refuse(`${key}[${index}]`, 'has a NUL character');
      return value;
    });
  }

  /** A list of whole numbers from 0; empty if absent. */
  ids(key: string): readonly number[] {
    return this.list(key).map((value, index) => {
      if (
        typeof value !== 'number' ||
        !Number.isInteger(value) ||
        value < 0 ||
        value > 0xffff_fffe
      ) {
        this.refuse(`${key}[${index}]`, 'is not an id');
      }
      return value;
    });
  }

  /** The member as an object; an empty one if absent. */
  object(key: string): ObjectReader {
    return new ObjectReader(this.value(key) ?? {}, this.at(key));
  }

  /** The member as a list of objects; empty if absent. */
  objects(key: string): readonly ObjectReader[] {
    return this.list(key).map(
      (value, index) => new ObjectReader(value, `${this.at(key)}[${index}]`),
    );
  }

  /** The member as an object of texts; empty if absent. */
  stringMap(key: string): Readonly<Record<string, string>> {
    const reader = this.object(key);
    return Object.fromEntries(reader.keys().map((name) => [name, reader.requiredString(name)]));
  }

  /** The member as a list; empty if absent. */
  list(key: string): readonly JsonValue[] {
    const value = this.value(key) ?? [];
    if (!Array.isArray(value)) this.refuse(key, 'is not a list');
    if (value.length > MAX_ITEMS) this.refuse(key, `has more than ${MAX_ITEMS} entries`);
    return value as readonly JsonValue[];
  }
}
