import { parse } from 'handlebars/dist/cjs/handlebars/compiler/base.js';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { getValue } from './get-value.js';
import type { Template, TemplatePart, ValueForm } from './template.js';
import type { ResolvedValue, TypedValue, Values } from './values.js';

/**
 * The Handlebars dialect: the library's grammar and white-space rules, walked by the interpreter below. The library's own
 * compiler is not used: it turns templates into JavaScript, which is where its advisories come from (CVE-2019-19919,
 * CVE-2021-23369 and others), and its output is one text in which values and syntax are mixed already.
 *
 * What there is: `{{NAME}}`, `{{{NAME}}}` (the same: nothing is HTML here), `if`, `unless`, `each` with `else`, `this`,
 * `@index`, `@first`, `@last`, comments, white-space control, and the helpers `json`, `unitQuote`, `unitEscape`, `eq`.
 * Everything else (partials, decorators, raw blocks, `lookup`, `with`, paths into objects, block parameters) is refused
 * when the template is parsed.
 */

/** More than any text we render needs; `each` inside `each` would otherwise grow with the square of a list. */
const MAX_PARTS = 50_000;
/** Published lists (mounts, arguments) have fewer than 60 items. */
const MAX_LIST_ITEMS = 1_000;
/** Nesting of blocks; deeper ones only serve to exhaust the stack. */
const MAX_BLOCK_DEPTH = 16;
/** The library's parser takes quadratic time for nested sub-expressions, and its walker of white space recurses. */
const MAX_CALL_DEPTH = 8;
/** It takes about 25 µs for each tag: 50 of them are a large template, this many a quarter of a second. */
const MAX_TAGS = 10_000;

const HELPERS: Readonly<Record<string, ValueForm>> = {
  json: 'json',
  unitQuote: 'unit-quoted',
  unitEscape: 'plain',
};

type Expression = hbs.AST.Expression;
type Path = hbs.AST.PathExpression;

/**
 * Parses the Handlebars dialect.
 *
 * @throws {@link OperationalError} TEMPLATE_INVALID
 */
export function parseHandlebars(name: string, text: string): Template {
  refuseCostlyText(name, text);
  let program: hbs.AST.Program;
  try {
    program = parse(text);
  } catch (cause) {
    const problem = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : '';
    throw new OperationalError('TEMPLATE_INVALID', `${name} cannot be rendered: ${problem}`, {
      cause,
    });
  }
  const variables = new Set<string>();
  new Checker(name, variables).checkProgram(program, 0);
  return {
    name,
    variables: [...variables],
    uses: (variable) => variables.has(variable),
    expand: (values) => {
      const interpreter = new Interpreter(name, values);
      interpreter.run(program, undefined);
      return interpreter.parts;
    },
  };
}

/** Looks at the text before the library's parser does. */
function refuseCostlyText(name: string, text: string): void {
  const tags = text.split('{{');
  if (tags.length > MAX_TAGS) throw invalid(name, `it has more than ${MAX_TAGS} tags`);
  for (const tag of tags.slice(1)) {
    let depth = 0;
    for (const character of tag.slice(0, endOfTag(tag))) {
      if (character === '(') depth += 1;
      else if (character === ')') depth -= 1;
      if (depth > MAX_CALL_DEPTH) throw invalid(name, 'sub-expressions are nested too deeply');
    }
  }
}

function endOfTag(tag: string): number {
  const end = tag.indexOf('}}');
  return end === -1 ? tag.length : end;
}

function invalid(name: string, problem: string, node?: hbs.AST.Node): OperationalError {
  const place =
    node === undefined ? '' : ` (line ${node.loc.start.line}, col ${node.loc.start.column + 1})`;
  return new OperationalError('TEMPLATE_INVALID', `${name} cannot be rendered: ${problem}${place}`);
}

/** Refuses, before anything is rendered, what the interpreter does not do, and collects the variables. */
class Checker {
  readonly #name: string;
  readonly #variables: Set<string>;

  constructor(name: string, variables: Set<string>) {
    this.#name = name;
    this.#variables = variables;
  }

  checkProgram(program: hbs.AST.Program, depth: number): void {
    if (depth > MAX_BLOCK_DEPTH) throw invalid(this.#name, 'blocks are nested too deeply', program);
    if ((program.blockParams as readonly string[] | undefined)?.length) {
      throw invalid(this.#name, 'block parameters are not supported', program);
    }
    for (const statement of program.body) this.#checkStatement(statement, depth);
  }

  #checkStatement(statement: hbs.AST.Statement, depth: number): void {
    switch (statement.type) {
      case 'ContentStatement':
      case 'CommentStatement':
        return;
      case 'MustacheStatement': {
        const mustache = statement as hbs.AST.MustacheStatement;
        this.#checkCall(mustache, mustache.path);
        return;
      }
      case 'BlockStatement':
        this.#checkBlock(statement as hbs.AST.BlockStatement, depth);
        return;
      default:
        throw invalid(this.#name, `${quote(statement.type)} is not supported`, statement);
    }
  }

  #checkBlock(block: hbs.AST.BlockStatement, depth: number): void {
    const name = block.path.original;
    if (name !== 'if' && name !== 'unless' && name !== 'each') {
      throw invalid(this.#name, `there is no block helper ${quote(name)}`, block);
    }
    const [param, ...more] = block.params;
    if (param === undefined || more.length > 0 || hasHash(block.hash)) {
      throw invalid(this.#name, `'${name}' takes one argument`, block);
    }
    this.#checkExpression(param);
    this.checkProgram(block.program, depth + 1);
    const inverse = block.inverse as hbs.AST.Program | undefined;
    if (inverse !== undefined) this.checkProgram(inverse, depth + 1);
  }

  #checkCall(
    call: { readonly params: readonly Expression[]; readonly hash: hbs.AST.Hash },
    path: Expression,
  ): void {
    if (call.params.length === 0 && !hasHash(call.hash)) {
      this.#checkExpression(path);
      return;
    }
    const helper = path.type === 'PathExpression' ? (path as Path).original : '';
    const expected = helper === 'eq' ? 2 : Object.hasOwn(HELPERS, helper) ? 1 : undefined;
    if (expected === undefined) {
      throw invalid(this.#name, `there is no helper ${quote(helper)}`, path);
    }
    if (call.params.length !== expected || hasHash(call.hash)) {
      throw invalid(this.#name, `'${helper}' takes ${expected} argument(s)`, path);
    }
    for (const param of call.params) this.#checkExpression(param);
  }

  #checkExpression(expression: Expression): void {
    switch (expression.type) {
      case 'StringLiteral':
      case 'NumberLiteral':
      case 'BooleanLiteral':
        return;
      case 'SubExpression': {
        const call = expression as hbs.AST.SubExpression;
        this.#checkCall(call, call.path);
        return;
      }
      case 'PathExpression': {
        const path = expression as Path;
        if (isItemPath(path)) return;
        const name = path.original;
        // Neither `../A` nor `this.A` nor `A.b`: variables have one name and no insides.
        if (path.data || path.parts.length !== 1 || !/^[_A-Za-z][_A-Za-z0-9]*$/.test(name)) {
          throw invalid(this.#name, `${quote(path.original)} is not a variable`, path);
        }
        this.#variables.add(name);
        return;
      }
      default:
        throw invalid(this.#name, `${quote(expression.type)} is not supported`, expression);
    }
  }
}

interface Item {
  readonly value: ResolvedValue;
  readonly index: number;
  readonly count: number;
}

class Interpreter {
  readonly parts: TemplatePart[] = [];
  readonly #name: string;
  readonly #values: Values;

  constructor(name: string, values: Values) {
    this.#name = name;
    this.#values = values;
  }

  run(program: hbs.AST.Program, item: Item | undefined): void {
    for (const statement of program.body) {
      if (this.parts.length > MAX_PARTS)
        throw invalid(this.#name, 'it renders too much', statement);
      if (statement.type === 'ContentStatement') {
        this.parts.push({ kind: 'text', text: (statement as hbs.AST.ContentStatement).value });
      } else if (statement.type === 'MustacheStatement') {
        const mustache = statement as hbs.AST.MustacheStatement;
        this.#emit(mustache, item);
      } else if (statement.type === 'BlockStatement') {
        this.#runBlock(statement as hbs.AST.BlockStatement, item);
      }
    }
  }

  #runBlock(block: hbs.AST.BlockStatement, item: Item | undefined): void {
    const [param] = block.params;
    if (param === undefined) return;
    const inverse = block.inverse as hbs.AST.Program | undefined;
    const { typed } = this.#evaluate(param, item);
    if (block.path.original === 'each') {
      if (typeof typed === 'string' || typeof typed === 'number' || typeof typed === 'boolean') {
        throw invalid(this.#name, "'each' needs a variable of type list", block);
      }
      if (typed.length > MAX_LIST_ITEMS) {
        throw invalid(this.#name, `a list has more than ${MAX_LIST_ITEMS} items`, block);
      }
      if (typed.length === 0 && inverse !== undefined) this.run(inverse, item);
      typed.forEach((text, index) => {
        this.run(block.program, { value: literal(text), index, count: typed.length });
      });
      return;
    }
    const branch = isTruthy(typed) === (block.path.original === 'if') ? block.program : inverse;
    if (branch !== undefined) this.run(branch, item);
  }

  #emit(mustache: hbs.AST.MustacheStatement, item: Item | undefined): void {
    const path = mustache.path;
    const helper = path.type === 'PathExpression' ? (path as Path).original : '';
    const [param] = mustache.params;
    const isCall = param !== undefined && helper !== 'eq';
    const shown = isCall ? param : path;
    const value =
      param !== undefined && helper === 'eq'
        ? this.#evaluateEq(mustache.params, item)
        : this.#evaluate(shown, item);
    const name = shown.type === 'PathExpression' ? (shown as Path).original : 'a literal';
    const form = isCall ? (HELPERS[helper] ?? 'plain') : 'plain';
    this.parts.push({ kind: 'value', name, value, form });
  }

  #evaluate(expression: Expression, item: Item | undefined): ResolvedValue {
    switch (expression.type) {
      case 'StringLiteral':
      case 'NumberLiteral':
      case 'BooleanLiteral':
        return literal((expression as hbs.AST.StringLiteral | hbs.AST.NumberLiteral).value);
      case 'SubExpression': {
        const call = expression as hbs.AST.SubExpression;
        const [first] = call.params;
        return call.path.original === 'eq' || first === undefined
          ? this.#evaluateEq(call.params, item)
          : this.#evaluate(first, item);
      }
      default: {
        const path = expression as Path;
        if (!isItemPath(path)) return getValue(this.#values, String(path.parts[0]));
        if (item === undefined) {
          throw invalid(this.#name, `${quote(path.original)} stands outside of 'each'`, path);
        }
        switch (path.original) {
          case '@index':
            return literal(item.index);
          case '@first':
            return literal(item.index === 0);
          case '@last':
            return literal(item.index === item.count - 1);
          default:
            return item.value;
        }
      }
    }
  }

  #evaluateEq(params: readonly Expression[], item: Item | undefined): ResolvedValue {
    const [left, right] = params.map((param) => this.#evaluate(param, item).text);
    return literal(left === right);
  }
}

function isItemPath(path: Path): boolean {
  return ['this', '.', '@index', '@first', '@last'].includes(path.original);
}

function hasHash(hash: hbs.AST.Hash | undefined): boolean {
  return (hash?.pairs.length ?? 0) > 0;
}

/** As in Handlebars: `false`, `0`, the empty text and the empty list do not hold. */
function isTruthy(value: TypedValue): boolean {
  return typeof value === 'object' ? value.length > 0 : Boolean(value);
}

function literal(value: string | number | boolean): ResolvedValue {
  return {
    text: String(value),
    typed: value,
    source: 'forced',
    secret: false,
    isUnitSyntax: false,
  };
}
