import { quote } from '../base/escape-text.js';
import type { JsonObject, JsonValue } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';

/** Reads members of a JSON object of `/exports/manifest.json` by type; a wrong one is refused by its path. */
export class ManifestReader {
  readonly #object: JsonObject;
  readonly #path: string;

  /** `path` is where the object stands, with a dot at its end, or `''` for the document itself. */
  constructor(object: JsonObject, path: string) {
    this.#object = object;
    this.#path = path;
  }

  get(member: string): JsonValue | undefined {
    return this.#object[member];
  }

  fail(member: string, problem: string): never {
    throw new OperationalError(
      'EXPORTS_INVALID',
      `/exports/manifest.json is not valid: ${this.#path}${member}: ${problem}`,
    );
  }

  string(member: string): string | undefined {
    const value = this.get(member);
    if (value === undefined) return undefined;
    return typeof value === 'string'
      ? this.#checked(member, value)
      : this.fail(member, 'expected a string');
  }

  boolean(member: string, fallback: boolean): boolean {
    const value = this.get(member);
    if (value === undefined) return fallback;
    return typeof value === 'boolean' ? value : this.fail(member, 'expected true or false');
  }

  stringList(member: string): readonly string[] {
    const value = this.get(member);
    if (value === undefined) return [];
    if (!Array.isArray(value)) return this.fail(member, 'expected a list of strings');
    return value.map((item: JsonValue, index) =>
      typeof item === 'string'
        ? this.#checked(member, item)
        : this.fail(`${member}[${index}]`, 'expected a string'),
    );
  }

  stringMap(member: string): ReadonlyMap<string, string> {
    return new Map(
      this.objectEntries(member).map(([key, value]) =>
        typeof value === 'string'
          ? [this.#checked(member, key), this.#checked(`${member}.${key}`, value)]
          : this.fail(`${member}.${key}`, 'expected a string'),
      ),
    );
  }

  objectEntries(member: string): readonly [string, JsonValue][] {
    const value = this.get(member);
    if (value === undefined) return [];
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return this.fail(member, 'expected an object');
    }
    return Object.entries(value as Readonly<Record<string, JsonValue>>);
  }

  /** A NUL ends a path or an argument early for the kernel, which then means something else than what was checked. */
  #checked(member: string, text: string): string {
    return text.includes('\0') ? this.fail(member, `a NUL character in ${quote(text)}`) : text;
  }
}
