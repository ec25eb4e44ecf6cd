import type { ExactJson } from './strict-json.js';

/** Writes a document as JSON.stringify() does with two blanks of indentation, and a line break at its end. */
export function formatExactJson(document: ExactJson): string {
  return `${write(document, '')}\n`;
}

function write(value: ExactJson, indent: string): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  if (isList(value))
    return enclose(
      '[]',
      indent,
      value.map((item) => write(item, inner)),
    );
  const members = Object.entries(value).flatMap(([key, member]) =>
    member === undefined ? [] : [`${JSON.stringify(key)}: ${write(member, inner)}`],
  );
  return enclose('{}', indent, members);
}

function enclose(brackets: string, indent: string, items: readonly string[]): string {
  if (items.length === 0) return brackets;
  const lines = items.map((item) => `${indent}  ${item}`).join(',\n');
  return `${brackets[0] ?? ''}\n${lines}\n${indent}${brackets[1] ?? ''}`;
}

function isList(value: ExactJson): value is readonly ExactJson[] {
  return Array.isArray(value);
}
