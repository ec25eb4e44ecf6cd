import type { ContainerName } from '../base/container-name.js';
import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';

declare const unitNameBrand: unique symbol;

/** A full unit name (`etcd.service`, `web@1.service`), checked as systemd does: made by the functions here only. */
export type UnitName = string & { readonly [unitNameBrand]: true };

/** The types of units that systemd 252 to 262 know (src/basic/unit-def.c). */
export const UNIT_TYPES = [
  'service',
  'socket',
  'target',
  'device',
  'mount',
  'automount',
  'swap',
  'timer',
  'path',
  'slice',
  'scope',
] as const;

/** One of {@link UNIT_TYPES}. */
export type UnitType = (typeof UNIT_TYPES)[number];

/** UNIT_NAME_MAX of systemd, without its NUL. */
const MAX_UNIT_NAME_LENGTH = 255;

/**
 * Parses a full unit name: `unit_name_is_valid()` of systemd (src/basic/unit-name.c) for plain, template and instance names.
 *
 * @throws {@link OperationalError} NAME_INVALID
 */
export function parseUnitName(text: string): UnitName {
  const match = /^([A-Za-z0-9:_.\\-]+)(@[A-Za-z0-9:_.\\@-]*)?\.([a-z]+)$/.exec(text);
  const type = UNIT_TYPES.find((known) => known === match?.[3]);
  if (match === null || type === undefined || text.length > MAX_UNIT_NAME_LENGTH) {
    throw new OperationalError('NAME_INVALID', `${quote(text)} is not the name of a unit`);
  }
  return text as UnitName;
}

/** The unit of a container. */
export function unitNameOf(name: ContainerName, type: UnitType = 'service'): UnitName {
  return `${name}.${type}` as UnitName;
}

/**
 * Whether a word in a unit of a container means that other unit of the same container: by its name, of a template with its
 * instance; `%N` is the name of the unit that it stands in, without its type.
 */
export function isNameOf(word: string, unit: UnitName): boolean {
  return word === unit || word === unit.replace('@.', '@%i.') || word === `%N.${unitTypeOf(unit)}`;
}

/** The type of a unit, from its ending. */
export function unitTypeOf(unit: UnitName): UnitType {
  const ending = unit.slice(unit.lastIndexOf('.') + 1);
  return UNIT_TYPES.find((known) => known === ending) ?? 'service';
}

/** `NAME@.TYPE`, the template that an instance belongs to; undefined for a plain unit. */
export function templateOf(unit: UnitName): UnitName | undefined {
  const at = unit.indexOf('@');
  return at === -1
    ? undefined
    : (`${unit.slice(0, at + 1)}${unit.slice(unit.lastIndexOf('.'))}` as UnitName);
}

/** The instance part of `NAME@INSTANCE.TYPE`; `''` for a template, undefined for a plain unit. */
export function instanceOf(unit: UnitName): string | undefined {
  const at = unit.indexOf('@');
  return at === -1 ? undefined : unit.slice(at + 1, unit.lastIndexOf('.'));
}

/** `NAME@INSTANCE.TYPE` of a template unit; any text can be an instance, it is escaped. */
export function instanceUnitName(template: UnitName, instance: string): UnitName {
  const at = template.indexOf('@');
  const name = `${template.slice(0, at + 1)}${escapeUnitText(instance)}${template.slice(template.lastIndexOf('.'))}`;
  if (at === -1 || instance === '') {
    throw new OperationalError(
      'NAME_INVALID',
      `${quote(name)} is not an instance of ${quote(template)}`,
    );
  }
  return parseUnitName(name);
}

/** systemd-escape(1): `/` becomes `-`, bytes that unit names cannot have become `\xNN`. */
export function escapeUnitText(text: string): string {
  return [...Buffer.from(text, 'utf8')]
    .map((byte, index) => {
      const character = String.fromCharCode(byte);
      if (character === '/') return '-';
      const allowed = /[A-Za-z0-9:_.]/.test(character) && !(index === 0 && character === '.');
      return allowed ? character : `\\x${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}

/**
 * The text that {@link escapeUnitText} escaped.
 *
 * @throws {@link OperationalError} NAME_INVALID at a backslash that begins no `\xNN`
 */
export function unescapeUnitText(escaped: string): string {
  const bytes: number[] = [];
  for (const [token] of escaped.matchAll(/\\x[0-9a-fA-F]{2}|[^]/gu)) {
    if (token.length === 4) bytes.push(Number.parseInt(token.slice(2), 16));
    else if (token === '\\') {
      throw new OperationalError('NAME_INVALID', `${quote(escaped)} is not an escaped unit name`);
    } else bytes.push(...Buffer.from(token === '-' ? '/' : token, 'utf8'));
  }
  return Buffer.from(bytes).toString('utf8');
}

/** What a person calls a unit: `NAME`, or of an instance `NAME@TEXT`, by which {@link instanceUnitName} finds its unit. */
export function instanceName(unit: string): string {
  const [at, end] = [unit.indexOf('@') + 1, unit.lastIndexOf('.')];
  if (at === 0) return unit.slice(0, end);
  const escaped = unit.slice(at, end);
  const isEscaped = !/\\(?!x[0-9a-f]{2})/.test(escaped);
  const text = isEscaped ? unescapeUnitText(escaped) : '';
  return `${unit.slice(0, at)}${escapeUnitText(text) === escaped ? text : escaped}`;
}

/** `systemd-escape --path`: the name of the mount or device unit of a path, without its ending. `/` gives `-`. */
export function escapeUnitPath(path: string): string {
  const components = path.split('/').filter((component) => component !== '');
  if (components.includes('..') || components.includes('.')) {
    throw new OperationalError('NAME_INVALID', `${quote(path)} is not a normalised path`);
  }
  return components.length === 0 ? '-' : escapeUnitText(components.join('/'));
}
