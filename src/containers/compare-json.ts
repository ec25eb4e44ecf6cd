import type { JsonObject, JsonValue } from '../base/strict-json.js';

/** Members that are kept of one comparison; a config.json has some 300. */
const MAX_CHANGES = 1000;

/** Depth to which members are looked into; what is deeper is shown as a whole. */
const MAX_DEPTH = 12;

/** A member that two documents do not both have with the same value. */
export interface MemberDifference {
  /** `process.args`, `mounts[/proc].options`, `process.env[PATH]`. */
  readonly path: string;
  /** Undefined where only the other side has it. */
  readonly before: JsonValue | undefined;
  readonly after: JsonValue | undefined;
}

/**
 * Compares two documents member by member. Lists of objects are paired by what names an object in them (a mount by its
 * destination, a namespace by its type), environment lists by variable, and of other lists of words it is said which
 * words came and which went; so that one mount more is one line, and not a shift of all that follow.
 */
export function compareJson(before: JsonValue, after: JsonValue): readonly MemberDifference[] {
  const found: MemberDifference[] = [];
  compare({ path: '', depth: 0, found }, before, after);
  return found;
}

interface Place {
  readonly path: string;
  readonly depth: number;
  readonly found: MemberDifference[];
}

function compare(place: Place, before: JsonValue | undefined, after: JsonValue | undefined): void {
  if (place.found.length >= MAX_CHANGES || same(before, after)) return;
  if (place.depth < MAX_DEPTH) {
    if (isObject(before) && isObject(after)) {
      compareMembers(place, before, after);
      return;
    }
    if (Array.isArray(before) && Array.isArray(after)) {
      compareLists(place, before as JsonList, after as JsonList);
      return;
    }
  }
  place.found.push({ path: place.path === '' ? '(all)' : place.path, before, after });
}

type JsonList = readonly JsonValue[];

function compareMembers(place: Place, before: JsonObject, after: JsonObject): void {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  for (const key of keys) {
    const path = place.path === '' ? key : `${place.path}.${key}`;
    compare({ ...place, path, depth: place.depth + 1 }, own(before, key), own(after, key));
  }
}

function compareLists(place: Place, before: JsonList, after: JsonList): void {
  const keyed = pairBy(before, after);
  if (keyed !== undefined) {
    for (const key of new Set([...keyed.before.keys(), ...keyed.after.keys()])) {
      compare(
        { ...place, path: `${place.path}[${key}]`, depth: place.depth + 1 },
        keyed.before.get(key),
        keyed.after.get(key),
      );
    }
    return;
  }
  // In a command line the place of a word is its meaning.
  const isCommand = /(?:^|\.)(?:args|Cmd|Entrypoint|command|entrypoint)$/.test(place.path);
  if (isCommand || !isWords(before) || !isWords(after) || sameWords(before, after)) {
    place.found.push({ path: place.path, before, after });
    return;
  }
  const gone = before.filter((word) => !after.includes(word));
  const come = after.filter((word) => !before.includes(word));
  place.found.push({
    path: `${place.path}[]`,
    before: gone.length === 0 ? undefined : gone,
    after: come.length === 0 ? undefined : come,
  });
}

/** What names an object in a list of them, in the order of preference. */
const NAMING_MEMBERS = ['destination', 'path', 'name', 'type', 'device'];

interface Pairs {
  readonly before: ReadonlyMap<string, JsonValue>;
  readonly after: ReadonlyMap<string, JsonValue>;
}

/** Both lists by a key that names each item once; undefined where there is none. */
function pairBy(before: JsonList, after: JsonList): Pairs | undefined {
  const all = [...before, ...after];
  if (all.length === 0) return undefined;
  if (all.every(isAssignment)) {
    const old = byKey(before, variableName, variableValue);
    const now = byKey(after, variableName, variableValue);
    return old === undefined || now === undefined ? undefined : { before: old, after: now };
  }
  for (const member of NAMING_MEMBERS) {
    const key = (item: JsonValue): string | undefined => {
      const name = isObject(item) ? own(item, member) : undefined;
      return typeof name === 'string' ? name : undefined;
    };
    const old = byKey(before, key, (item) => item);
    const now = byKey(after, key, (item) => item);
    if (old !== undefined && now !== undefined) return { before: old, after: now };
  }
  return undefined;
}

function byKey(
  list: JsonList,
  keyOf: (item: JsonValue) => string | undefined,
  valueOf: (item: JsonValue) => JsonValue,
): ReadonlyMap<string, JsonValue> | undefined {
  const found = new Map<string, JsonValue>();
  for (const item of list) {
    const key = keyOf(item);
    if (key === undefined || found.has(key)) return undefined;
    found.set(key, valueOf(item));
  }
  return found;
}

function isAssignment(item: JsonValue): boolean {
  return typeof item === 'string' && /^[A-Za-z_][A-Za-z0-9_]*=/.test(item);
}

function variableName(item: JsonValue): string {
  return typeof item === 'string' ? item.slice(0, item.indexOf('=')) : '';
}

function variableValue(item: JsonValue): string {
  return typeof item === 'string' ? item.slice(item.indexOf('=') + 1) : '';
}

function isWords(list: JsonList): boolean {
  return list.every((item) => typeof item !== 'object');
}

function sameWords(before: JsonList, after: JsonList): boolean {
  return same([...before].sort(), [...after].sort());
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Documents are foreign: a member named `constructor` is a member like any other. */
function own(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function same(before: JsonValue | undefined, after: JsonValue | undefined): boolean {
  return before === after || JSON.stringify(before) === JSON.stringify(after);
}
