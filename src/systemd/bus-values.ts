import { OperationalError } from '../errors/operational-error.js';
import { unwrapVariant } from './bus.js';
import type { UnitFileChange } from './unit-manager.js';

/** A D-Bus string or object path. @throws OperationalError SYSTEMD_PROTOCOL if it is none */
export function asString(value: unknown): string {
  if (typeof value === 'string') return value;
  throw unexpected('a string', value);
}

/** A number of any D-Bus integer type, as bigint; undefined where there is none. */
export function asBigInt(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value;
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : undefined;
}

/** A list of strings; empty where there is none. */
export function asStrings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(asString) : [];
}

/** What is asked of the properties of an object. */
export type Properties = Pick<ReadonlyMap<string, unknown>, 'get'>;

/** The reply of `GetAll`: `a{sv}`. Of hundreds few are asked for; the variants of these are opened then. */
export function readProperties(reply: readonly unknown[]): Properties {
  const [dictionary] = reply;
  if (typeof dictionary !== 'object' || dictionary === null) {
    throw unexpected('a dictionary of properties', dictionary);
  }
  return { get: (name) => unwrapVariant((dictionary as Readonly<Record<string, unknown>>)[name]) };
}

/** The `a(sss)` of `EnableUnitFiles` and its like. */
export function readChanges(value: unknown): readonly UnitFileChange[] {
  if (!Array.isArray(value)) throw unexpected('a list of changes', value);
  return value.flatMap((entry: unknown): UnitFileChange[] => {
    const [kind, path, source] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (kind !== 'symlink' && kind !== 'unlink') return [];
    return [{ kind, path: asString(path), source: asString(source) }];
  });
}

function unexpected(wanted: string, got: unknown): OperationalError {
  return new OperationalError(
    'SYSTEMD_PROTOCOL',
    `systemd answered outside its interface: expected ${wanted}, got ${typeof got}`,
  );
}

/** An array of structures. @throws OperationalError SYSTEMD_PROTOCOL if it is none */
export function asRows(value: unknown): readonly (readonly unknown[])[] {
  if (!Array.isArray(value)) throw unexpected('a list', value);
  return value.filter((row: unknown): row is readonly unknown[] => Array.isArray(row));
}
