/** The type of a GVariant, parsed. Alignment and fixed size are in bytes; a size of 0 means that values differ in size. */
export type VariantType =
  | {
      readonly kind: 'basic';
      readonly code: BasicCode;
      readonly align: number;
      readonly size: number;
    }
  | { readonly kind: 'text'; readonly code: 's' | 'o' | 'g'; readonly align: 1; readonly size: 0 }
  | { readonly kind: 'variant'; readonly align: 8; readonly size: 0 }
  | {
      readonly kind: 'array';
      readonly element: VariantType;
      readonly align: number;
      readonly size: 0;
    }
  | {
      readonly kind: 'maybe';
      readonly element: VariantType;
      readonly align: number;
      readonly size: 0;
    }
  | {
      readonly kind: 'tuple';
      readonly members: readonly VariantType[];
      readonly align: number;
      readonly size: number;
    };

/** Types of fixed size. */
export type BasicCode = keyof typeof BASIC_SIZES;

/** Sizes in bytes, which are their alignments too. */
export const BASIC_SIZES = { b: 1, y: 1, n: 2, q: 2, i: 4, u: 4, h: 4, x: 8, t: 8, d: 8 } as const;

/** Bytes that are not a GVariant of the type they should be, or values that cannot be one. */
export class GVariantError extends Error {
  override readonly name = 'GVariantError';
}

/** What GLib itself takes (`G_VARIANT_MAX_RECURSION_DEPTH` is 128; a message of D-Bus may have 64). */
export const MAX_DEPTH = 64;
/** Longest type string. Types come out of commits: anybody's. */
const MAX_TYPE_LENGTH = 255;

const parsed = new Map<string, VariantType>();

/**
 * Parses a type string of one complete type.
 *
 * @throws {@link GVariantError}
 */
export function parseType(text: string): VariantType {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  if (text.length > MAX_TYPE_LENGTH) throw new GVariantError('type string is too long');
  const [type, end] = parseAt(text, 0, 0);
  if (end !== text.length) throw new GVariantError(`'${text}' is not one complete type`);
  // Bounded, since hostile commits could bring a type for each value.
  if (parsed.size < 256) parsed.set(text, type);
  return type;
}

function parseAt(text: string, at: number, depth: number): [VariantType, number] {
  if (depth > MAX_DEPTH) throw new GVariantError('type is nested too deep');
  const code = text[at];
  switch (code) {
    case undefined:
      throw new GVariantError(`'${text}' ends inside a type`);
    case 's':
    case 'o':
    case 'g':
      return [{ kind: 'text', code, align: 1, size: 0 }, at + 1];
    case 'v':
      return [{ kind: 'variant', align: 8, size: 0 }, at + 1];
    case 'a':
    case 'm': {
      const [element, end] = parseAt(text, at + 1, depth + 1);
      const kind = code === 'a' ? 'array' : 'maybe';
      return [{ kind, element, align: element.align, size: 0 }, end];
    }
    case '(':
      return parseTuple(text, { at: at + 1, close: ')', depth });
    case '{': {
      const [type, end] = parseTuple(text, { at: at + 1, close: '}', depth });
      if (type.kind !== 'tuple' || type.members.length !== 2) {
        throw new GVariantError(`'${text}' has a dictionary entry that is not a pair`);
      }
      const key = type.members[0];
      if (key?.kind !== 'basic' && key?.kind !== 'text') {
        throw new GVariantError(`'${text}' has a key that is not basic`);
      }
      return [type, end];
    }
    default: {
      if (!Object.hasOwn(BASIC_SIZES, code)) throw new GVariantError(`'${text}' is not a type`);
      const basic = code as BasicCode;
      const size = BASIC_SIZES[basic];
      return [{ kind: 'basic', code: basic, align: size, size }, at + 1];
    }
  }
}

function parseTuple(
  text: string,
  { at, close, depth }: { at: number; close: string; depth: number },
): [VariantType, number] {
  const members: VariantType[] = [];
  let next = at;
  while (text[next] !== close) {
    const [member, end] = parseAt(text, next, depth + 1);
    members.push(member);
    next = end;
  }
  const align = Math.max(1, ...members.map((member) => member.align));
  return [{ kind: 'tuple', members, align, size: tupleSize(members, align) }, next + 1];
}

function tupleSize(members: readonly VariantType[], align: number): number {
  // The unit type is one byte.
  if (members.length === 0) return 1;
  let size = 0;
  for (const member of members) {
    if (member.size === 0) return 0;
    size = alignUp(size, member.align) + member.size;
  }
  return alignUp(size, align);
}

/** The next multiple of `align`, a power of two. Sizes stay below 2^53: `>>` would cut them. */
export function alignUp(offset: number, align: number): number {
  const over = offset % align;
  return over === 0 ? offset : offset + align - over;
}
