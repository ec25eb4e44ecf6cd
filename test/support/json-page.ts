import { readFileSync } from 'node:fs';

import type { DescribedField, DescribedResults, DescribedType } from './describe-json.js';

/** The manual page of what commands print under `--json`, from dist/test/support. */
export const JSON_PAGE = new URL('../../../packaging/man/berth-json.7.md', import.meta.url);

/** Between these the page is made from the types of the sources; what stands before and after is written by hand. */
const FIRST_HEADING = '## RESULTS';
const HEADING_AFTER = '## SEE ALSO';

const WIDTH = 136;

/** The page with its lists made anew; what else stands in it stays. */
export function renewJsonPage(page: string, described: DescribedResults): string {
  const from = page.indexOf(`${FIRST_HEADING}\n`);
  const to = page.indexOf(`${HEADING_AFTER}\n`);
  if (from === -1 || to === -1)
    throw new Error(`the page lacks '${FIRST_HEADING}' or '${HEADING_AFTER}'`);
  return page.slice(0, from) + formatLists(described) + page.slice(to);
}

function formatLists({ results, types }: DescribedResults): string {
  return [
    `${FIRST_HEADING}\n`,
    ...results.map(([command, type]) => `- \`berth ${command}\`: \`${type}\``),
    '\n## TYPES\n',
    ...types.flatMap(formatType),
  ]
    .join('\n')
    .concat('\n');
}

function formatType({ name, meaning, fields }: DescribedType): readonly string[] {
  return [
    `### ${name}\n`,
    ...(meaning === '' ? [] : [`${wrap(meaning, '')}\n`]),
    ...fields.map(formatField),
    '',
  ];
}

function formatField({ name, optional, type, meaning }: DescribedField): string {
  const member = `- \`${name}${optional ? '?' : ''}: ${type}\``;
  return meaning === '' ? member : wrap(`${member}: ${meaning}`, '  ');
}

/** Breaks a text between words, but not within what stands in backticks. */
function wrap(text: string, indent: string): string {
  const lines: string[] = [];
  for (const word of text.match(/(?:`[^`]*`|[^\s`])+/g) ?? []) {
    const last = lines.at(-1);
    if (last === undefined) lines.push(word);
    else if (last.length + word.length < WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`${indent}${word}`);
  }
  return lines.join('\n');
}

/** What the page says: by command the type of its result, by type its fields. */
export interface JsonShapes {
  readonly results: ReadonlyMap<string, string>;
  readonly types: ReadonlyMap<string, ReadonlyMap<string, FieldShape>>;
}

/** A field as the page has it. */
export interface FieldShape {
  readonly optional: boolean;
  readonly type: string;
}

/** Reads the page that stands in the sources. */
export function readJsonPage(): JsonShapes {
  const results = new Map<string, string>();
  const types = new Map<string, Map<string, FieldShape>>();
  let fields: Map<string, FieldShape> | undefined;
  for (const line of readFileSync(JSON_PAGE, 'utf8').split('\n')) {
    const heading = /^### (\w+)$/.exec(line)?.[1];
    if (heading !== undefined) types.set(heading, (fields = new Map<string, FieldShape>()));
    const [, command, result] = /^- `berth ([a-z -]+)`: `([^`]+)`$/.exec(line) ?? [];
    if (command !== undefined && result !== undefined) results.set(command, result);
    const [, name, optional, type] = /^- `(\w+)(\??): ([^`]+)`/.exec(line) ?? [];
    if (name !== undefined && type !== undefined)
      fields?.set(name, { optional: optional === '?', type });
  }
  return { results, types };
}
