import { OperationalError } from '../errors/operational-error.js';
import { quote } from './escape-text.js';

/** What {@link parsePlainYaml} gives: every scalar is the text that stands there; objects have no prototype. */
export type PlainYaml = string | readonly PlainYaml[] | PlainYamlMap;

/** A mapping; made with a null prototype, so `__proto__` is a key like any other. */
export interface PlainYamlMap {
  readonly [key: string]: PlainYaml | undefined;
}

/** Configuration that a person wrote is nested three or four deep; the parser calls itself for each level. */
const MAX_DEPTH = 16;

/** A key and what follows it in the line; a colon in a key has something behind it (`registry.example:5000:`). */
const KEY =
  /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[\w./-](?:(?:[^:#"'{}[\],]|:(?=\S))*[^\s:#"'{}[\],])?)\s*:(?:\s+(.*))?$/;
/** What begins anchors, aliases, tags, blocks of text, directives and what YAML reserves. */
const NOT_PLAIN = /^[&*!|>%@`?]/;
const REST_OF_LINE = /[ \t]*(?:#[^\n]*)?(?:\n|$)/y;
const FLOW_SPACE = /(?:[ \t\n]|(?<=[\s])#[^\n]*)*/y;
const FLOW_SCALAR = /(?:[^\n,[\]{}#:]|:(?![\s,[\]{}]|$)|(?<!\s)#)+/y;

/**
 * Parses the part of YAML 1.2 that configuration is written in: mappings and lists, by indentation or in brackets, plain
 * and quoted scalars of one line, comments. What makes YAML more than that (anchors, tags, several documents, blocks of text)
 * is refused by name, as are keys that stand twice. Scalars are texts, whatever they look like.
 *
 * @throws {@link OperationalError} CONFIG_INVALID with the number of the line
 */
export function parsePlainYaml(text: string, what: string): PlainYaml {
  return new PlainYamlParser(text, what).parseDocument();
}

class PlainYamlParser {
  readonly #lines: string[];
  readonly #what: string;
  /** Of the line that is next. */
  #at = 0;

  constructor(text: string, what: string) {
    this.#lines = text
      .replace(/^\ufeff/, '')
      .replace(/\r\n/g, '\n')
      .split('\n');
    this.#what = what;
  }

  parseDocument(): PlainYaml {
    if (this.#peek()?.text === '---') this.#at += 1;
    const value = this.#peek() === undefined ? '' : this.#block(0);
    if (this.#peek() !== undefined) this.#fail('this belongs to nothing before it');
    return value;
  }

  /** The next line with something on it. */
  #peek(): { readonly indent: number; readonly text: string } | undefined {
    for (; this.#at < this.#lines.length; this.#at += 1) {
      const line = this.#lines[this.#at] ?? '';
      const text = line.trim();
      if (text === '' || text.startsWith('#')) continue;
      const indent = line.length - line.trimStart().length;
      if (line.slice(0, indent).includes('\t')) this.#fail('a tab cannot indent');
      return { indent, text };
    }
    return undefined;
  }

  #block(depth: number): PlainYaml {
    const first = this.#peek();
    if (first === undefined) return '';
    if (depth > MAX_DEPTH) this.#fail(`nested deeper than ${MAX_DEPTH} levels`);
    if (isItem(first.text)) return this.#list(first.indent, depth);
    if (KEY.test(first.text)) return this.#mapping(first.indent, depth);
    return this.#inline(first.indent, depth);
  }

  #list(indent: number, depth: number): readonly PlainYaml[] {
    const items: PlainYaml[] = [];
    for (;;) {
      const line = this.#peek();
      if (line?.indent !== indent || !isItem(line.text)) break;
      const rest = line.text.slice(1).trimStart();
      if (rest === '' || rest.startsWith('#')) {
        this.#at += 1;
        items.push(this.#below(indent, depth));
      } else {
        // The item is a block of its own that begins behind the dash.
        const column = indent + line.text.length - rest.length;
        this.#lines[this.#at] = `${' '.repeat(column)}${rest}`;
        items.push(this.#block(depth + 1));
      }
    }
    return items;
  }

  #mapping(indent: number, depth: number): PlainYamlMap {
    const map = Object.create(null) as Record<string, PlainYaml>;
    for (;;) {
      const line = this.#peek();
      if (line?.indent !== indent || isItem(line.text)) break;
      const [, written = '', rest = ''] =
        KEY.exec(line.text) ?? this.#fail("expected 'key: value'");
      const key = /^["']/.test(written) ? this.#unquote(written) : written;
      if (key in map) this.#fail(`${quote(key)} stands twice`);
      if (rest === '' || rest.startsWith('#')) {
        this.#at += 1;
        const next = this.#peek();
        const isList = next?.indent === indent && isItem(next.text);
        map[key] = isList ? this.#list(indent, depth + 1) : this.#below(indent, depth);
      } else map[key] = this.#inline(indent + line.text.length - rest.length, depth);
    }
    return map;
  }

  /** What is indented further than its key or dash; nothing is an empty text. */
  #below(indent: number, depth: number): PlainYaml {
    const next = this.#peek();
    return next === undefined || next.indent <= indent ? '' : this.#block(depth + 1);
  }

  /** A value that begins at a column of the present line; one in brackets may end in a later one. */
  #inline(column: number, depth: number): PlainYaml {
    const text = this.#lines.slice(this.#at).join('\n');
    const start = /[[{"']/.test(text[column] ?? '') ? column : -1;
    if (start === -1) return this.#plain(column);
    const flow = new FlowReader(text, start, (problem) => this.#fail(problem));
    const value = flow.value(depth);
    this.#at += flow.end().replace(/\n$/, '').split('\n').length;
    return value;
  }

  #plain(column: number): string {
    const text = (this.#lines[this.#at] ?? '')
      .slice(column)
      .replace(/\s#.*$/, '')
      .trim();
    if (NOT_PLAIN.test(text)) this.#fail(`${quote(text.slice(0, 1))} is not understood here`);
    if (/:(?:\s|$)/.test(text)) this.#fail('a colon in a text: put it in quotes');
    this.#at += 1;
    return text;
  }

  #unquote(text: string): string {
    return new FlowReader(text, 0, (problem) => this.#fail(problem)).quoted();
  }

  #fail(problem: string): never {
    const line = Math.min(this.#at + 1, this.#lines.length);
    throw new OperationalError('CONFIG_INVALID', `${this.#what}: line ${line}: ${problem}`);
  }
}

function isItem(text: string): boolean {
  return text === '-' || text.startsWith('- ');
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  '"': '"',
  '\\': '\\',
  '/': '/',
};

/** Reads one value in brackets or quotes out of a text. */
class FlowReader {
  readonly #text: string;
  readonly #fail: (problem: string) => never;
  #at: number;

  constructor(text: string, at: number, fail: (problem: string) => never) {
    this.#text = text;
    this.#at = at;
    this.#fail = fail;
  }

  value(depth: number): PlainYaml {
    if (depth > MAX_DEPTH) this.#fail(`nested deeper than ${MAX_DEPTH} levels`);
    switch (this.#text[this.#at]) {
      case '[':
        return this.#list(depth);
      case '{':
        return this.#mapping(depth);
      case '"':
      case "'":
        return this.quoted();
      default:
        return this.#scalar();
    }
  }

  /** Everything up to the end of the line in which the value ended, when nothing else stands there. */
  end(): string {
    if (this.#match(REST_OF_LINE) === undefined) this.#fail('something stands behind the value');
    return this.#text.slice(0, this.#at);
  }

  quoted(): string {
    const mark = this.#text[this.#at] ?? '';
    let result = '';
    for (this.#at += 1; ; this.#at += 1) {
      const character = this.#text[this.#at];
      if (character === undefined || character === '\n') this.#fail('a quote that is not closed');
      if (character === mark) {
        this.#at += 1;
        if (mark === '"' || this.#text[this.#at] !== "'") return result;
        result += "'"; // doubled, it stands for itself
      } else if (mark === '"' && character === '\\') {
        this.#at += 1;
        result += ESCAPES[this.#text[this.#at] ?? ''] ?? this.#fail('an unknown escape in a text');
      } else result += character;
    }
  }

  #list(depth: number): readonly PlainYaml[] {
    const items: PlainYaml[] = [];
    this.#next();
    while (!this.#take(']')) {
      items.push(this.value(depth + 1));
      this.#separator(']');
    }
    return items;
  }

  #mapping(depth: number): PlainYamlMap {
    const map = Object.create(null) as Record<string, PlainYaml>;
    this.#next();
    while (!this.#take('}')) {
      const key = /["']/.test(this.#text[this.#at] ?? '') ? this.quoted() : this.#scalar();
      if (key in map) this.#fail(`${quote(key)} stands twice`);
      this.#match(FLOW_SPACE);
      if (this.#text[this.#at] !== ':') this.#fail(`expected ':' after ${quote(key)}`);
      this.#next();
      map[key] = /[,}]/.test(this.#text[this.#at] ?? '') ? '' : this.value(depth + 1);
      this.#separator('}');
    }
    return map;
  }

  #scalar(): string {
    const text = this.#match(FLOW_SCALAR)?.trim() ?? '';
    if (text === '') this.#fail('expected a value, or a bracket is not closed');
    if (NOT_PLAIN.test(text)) this.#fail(`${quote(text.slice(0, 1))} is not understood here`);
    return text;
  }

  /** Past a comma, or up to the bracket that closes. */
  #separator(closing: string): void {
    this.#match(FLOW_SPACE);
    if (this.#text[this.#at] === ',') this.#next();
    else if (this.#text[this.#at] !== closing) this.#fail(`expected ',' or '${closing}'`);
  }

  #next(): void {
    this.#at += 1;
    this.#match(FLOW_SPACE);
  }

  #take(bracket: string): boolean {
    if (this.#text[this.#at] !== bracket) return false;
    this.#at += 1;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}
