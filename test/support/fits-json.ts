import type { FieldShape, JsonShapes } from './json-page.js';

/** All that a value has otherwise than a type of the page says, each with its place; empty where it fits. */
export function findMisfits(value: unknown, type: string, shapes: JsonShapes): readonly string[] {
  return misfits(value, parseType(type), { path: '$', shapes });
}

interface Place {
  readonly path: string;
  readonly shapes: JsonShapes;
}

type Shape =
  | { readonly kind: 'literal'; readonly value: unknown }
  | { readonly kind: 'named'; readonly name: string }
  | { readonly kind: 'list'; readonly item: Shape }
  | { readonly kind: 'map'; readonly item: Shape }
  | { readonly kind: 'object'; readonly fields: ReadonlyMap<string, ParsedField> }
  | { readonly kind: 'union'; readonly parts: readonly Shape[] };

interface ParsedField {
  readonly optional: boolean;
  readonly shape: Shape;
}

function misfits(value: unknown, shape: Shape, place: Place): readonly string[] {
  const { path } = place;
  switch (shape.kind) {
    case 'literal':
      return value === shape.value ? [] : [`${path} is ${brief(value)}, not ${brief(shape.value)}`];
    case 'named':
      return misfitsOfNamed(value, shape.name, place);
    case 'list':
      if (!Array.isArray(value)) return [`${path} is ${brief(value)}, not a list`];
      return value.flatMap((item, index) =>
        misfits(item, shape.item, { ...place, path: `${path}[${index}]` }),
      );
    case 'map':
      if (!isObject(value)) return [`${path} is ${brief(value)}, not an object`];
      return Object.entries(value).flatMap(([key, item]) =>
        misfits(item, shape.item, { ...place, path: `${path}.${key}` }),
      );
    case 'object':
      return misfitsOfFields(value, shape.fields, place);
    case 'union': {
      const each = shape.parts.map((part) => misfits(value, part, place));
      // What is nearest to one of them tells most.
      return each.reduce((best, other) => (other.length < best.length ? other : best));
    }
  }
}

function misfitsOfNamed(value: unknown, name: string, place: Place): readonly string[] {
  const { path, shapes } = place;
  const wrong = [`${path} is ${brief(value)}, not ${name}`];
  switch (name) {
    case 'any':
      return [];
    case 'string':
    case 'number':
    case 'boolean':
      return typeof value === name ? [] : wrong;
    case 'integer':
      return Number.isInteger(value) || (typeof value === 'string' && /^-?\d+$/.test(value))
        ? []
        : wrong;
  }
  const fields = shapes.types.get(name);
  if (fields === undefined) return [`${path}: the page has no type ${name}`];
  return misfitsOfFields(
    value,
    new Map([...fields].map(([key, field]) => [key, parse(field)])),
    place,
  );
}

function parse({ optional, type }: FieldShape): ParsedField {
  return { optional, shape: parseType(type) };
}

function misfitsOfFields(
  value: unknown,
  fields: ReadonlyMap<string, ParsedField>,
  place: Place,
): readonly string[] {
  const { path } = place;
  if (!isObject(value)) return [`${path} is ${brief(value)}, not an object`];
  const missing = [...fields].flatMap(([key, { optional }]) =>
    optional || key in value ? [] : [`${path}.${key} is missing`],
  );
  const present = Object.entries(value).flatMap(([key, member]) => {
    const field = fields.get(key);
    const at = `${path}.${key}`;
    return field === undefined
      ? [`${at} is not documented`]
      : misfits(member, field.shape, { ...place, path: at });
  });
  return [...missing, ...present];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function brief(value: unknown): string {
  return (JSON.stringify(value) as string | undefined)?.slice(0, 60) ?? 'nothing';
}

/** Parses the notation of the page: `"a" | Name[]`, `{ x?: number, y: string }`, `{ [name]: string }`. */
function parseType(text: string): Shape {
  const words = text.match(/"[^"]*"|\w+|\[name\]|\[\]|[(){}:?,|]/g) ?? [];
  let at = 0;
  const take = (wanted?: string): string => {
    const word = words[at++];
    if (word === undefined || (wanted !== undefined && word !== wanted))
      throw new Error(
        `'${text}' is no type: ${wanted ?? 'a word'} expected, not ${word ?? 'its end'}`,
      );
    return word;
  };
  const takeIf = (wanted: string): boolean => {
    if (words[at] !== wanted) return false;
    at++;
    return true;
  };
  const union = (): Shape => {
    const parts = [postfix()];
    while (takeIf('|')) parts.push(postfix());
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : { kind: 'union', parts };
  };
  const postfix = (): Shape => {
    let shape = primary();
    while (takeIf('[]')) shape = { kind: 'list', item: shape };
    return shape;
  };
  const primary = (): Shape => {
    if (takeIf('(')) {
      const inner = union();
      take(')');
      return inner;
    }
    if (takeIf('{')) return members();
    const word = take();
    if (word === 'null' || word === 'true' || word === 'false' || /^["\d]/.test(word))
      return { kind: 'literal', value: JSON.parse(word) as unknown };
    return { kind: 'named', name: word };
  };
  const members = (): Shape => {
    if (takeIf('[name]')) {
      take(':');
      const item = union();
      take('}');
      return { kind: 'map', item };
    }
    const fields = new Map<string, ParsedField>();
    do {
      const name = take();
      const optional = takeIf('?');
      take(':');
      fields.set(name, { optional, shape: union() });
    } while (takeIf(','));
    take('}');
    return { kind: 'object', fields };
  };
  const shape = union();
  if (at < words.length)
    throw new Error(`'${text}' is no type: it goes on with ${words[at] ?? ''}`);
  return shape;
}
