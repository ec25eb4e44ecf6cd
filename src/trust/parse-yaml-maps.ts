import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';

/** A map of maps of texts: all the YAML that configuration of this kind is made of. An entry without a value has none. */
export type YamlValue = string | undefined | YamlMap;

/** See {@link YamlValue}. */
export type YamlMap = ReadonlyMap<string, YamlValue>;

/** Deepest indentation: a section, a scope, its settings. */
const MAX_DEPTH = 3;

/** A configuration of this kind has a handful; more than this is another file. */
const MAX_LINES = 10_000;

/** A plain scalar of YAML 1.2 that means nothing but itself, on one line. */
const PLAIN = /^[^\s\-?:,[\]{}#&*!|>'"%@`][^\0]*$|^-[^\s\0][^\0]*$/;

interface Line {
  readonly number: number;
  readonly indent: number;
  readonly key: string;
  /** Undefined where nothing stands behind the colon. */
  readonly value: string | undefined;
}

/**
 * Parses maps of maps of texts, of block style, with comments: the part of YAML that registries.d is written in. Everything else
 * (lists, flow style, anchors, tags, several lines for one text, tabs, keys that stand twice) is refused: a parser that guesses
 * would read another configuration than the one that was written. Texts are never numbers or truth values here.
 *
 * @throws OperationalError CONFIG_INVALID naming file and line
 */
export function parseYamlMaps(text: string, file: string): YamlMap {
  const lines = readLines(text, file);
  const { map, next } = readMap(lines, 0, { indent: lines[0]?.indent ?? 0, depth: 1, file });
  const rest = lines[next];
  if (rest !== undefined) fail(file, rest.number, 'is indented less than the first line');
  return map;
}

function readMap(
  lines: readonly Line[],
  start: number,
  at: { readonly indent: number; readonly depth: number; readonly file: string },
): { readonly map: YamlMap; readonly next: number } {
  const { indent, depth, file } = at;
  const map = new Map<string, YamlValue>();
  let next = start;
  for (let line = lines[next]; line !== undefined && line.indent >= indent; line = lines[next]) {
    if (line.indent > indent) fail(file, line.number, 'is indented without reason');
    if (map.has(line.key)) fail(file, line.number, `has ${quote(line.key)} a second time`);
    next++;
    const below = lines[next];
    if (below === undefined || below.indent <= indent) {
      map.set(line.key, line.value);
      continue;
    }
    if (line.value !== undefined) fail(file, below.number, 'is indented below a text');
    if (depth === MAX_DEPTH) fail(file, below.number, 'is deeper than berth reads');
    const inner = readMap(lines, next, { indent: below.indent, depth: depth + 1, file });
    map.set(line.key, inner.map);
    next = inner.next;
  }
  return { map, next };
}

function readLines(text: string, file: string): readonly Line[] {
  const lines: Line[] = [];
  const all = text.replace(/^\ufeff/, '').split(/\r?\n/);
  if (all.length > MAX_LINES) fail(file, MAX_LINES, `is followed by more than berth reads`);
  for (const [index, raw] of all.entries()) {
    const number = index + 1;
    if (/^\s*(?:#.*)?$/s.test(raw)) continue;
    if (lines.length === 0 && /^---\s*(?:#.*)?$/.test(raw)) continue;
    if (/[\0-\x08\x0b-\x1f\x7f]/.test(raw)) fail(file, number, 'has a control character');
    const indent = /^ */.exec(raw)?.[0].length ?? 0;
    if (raw[indent] === '\t') fail(file, number, 'is indented with a tab');
    lines.push({ number, indent, ...splitLine(raw.slice(indent), { file, number }) });
  }
  return lines;
}

interface LinePlace {
  readonly file: string;
  readonly number: number;
}

function splitLine(text: string, { file, number }: LinePlace): Pick<Line, 'key' | 'value'> {
  const parts = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'].*?)\s*:(?:\s+(.*))?$/s.exec(text);
  const [, key = '', value = ''] = parts ?? [];
  if (parts === null) fail(file, number, 'is not KEY: VALUE');
  return {
    key: readScalar(key, { file, number }) ?? fail(file, number, 'has no key'),
    value: readScalar(value, { file, number }),
  };
}

function readScalar(text: string, { file, number }: LinePlace): string | undefined {
  const quoted = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*(?:\s#.*)?$/s.exec(text)?.[1];
  if (quoted?.startsWith("'") === true) return quoted.slice(1, -1).replaceAll("''", "'");
  if (quoted !== undefined) {
    if (/\\[^"\\/]/.test(quoted.replaceAll('\\\\', '')))
      fail(file, number, 'has an escape that berth does not read');
    return quoted.slice(1, -1).replace(/\\(.)/g, '$1');
  }
  const plain = text.replace(/(?:^|\s)#.*$/s, '').trimEnd();
  if (plain === '' || plain === '~' || plain === 'null') return undefined;
  if (!PLAIN.test(plain) || /:(?:\s|$)/.test(plain))
    fail(file, number, `has ${quote(plain)}, which is not a text in plain YAML`);
  return plain;
}

function fail(file: string, line: number, why: string): never {
  throw new OperationalError('CONFIG_INVALID', `${file}: line ${line} ${why}`);
}
