import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import ts from 'typescript';

/** A type of what commands print, as packaging/man/berth-json.7.md has it. */
export interface DescribedType {
  readonly name: string;
  readonly meaning: string;
  readonly fields: readonly DescribedField[];
}

/** A member of a {@link DescribedType}. */
export interface DescribedField {
  readonly name: string;
  /** Whether it may be left out. */
  readonly optional: boolean;
  /** In the notation of the page. */
  readonly type: string;
  readonly meaning: string;
}

/** What commands print, by the types that their code is held to. */
export interface DescribedResults {
  /** By command: its type in the notation of the page. */
  readonly results: readonly (readonly [command: string, type: string])[];
  /** All that the results name, sorted by name. */
  readonly types: readonly DescribedType[];
}

/** Of the checkout, from dist/test/support. */
const SOURCES = fileURLToPath(new URL('../../../src/', import.meta.url));

/** Describes what commands print, by `JsonResults` of the sources and every type that it names, as JSON.stringify() writes them. */
export function describeJson(): DescribedResults {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(SOURCES, 'tsconfig.json'),
    { composite: false, incremental: false, noEmit: true },
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: ({ messageText }) => {
        throw new Error(ts.flattenDiagnosticMessageText(messageText, '\n'));
      },
    },
  );
  const file = join(SOURCES, 'cli', 'output', 'json-results.ts');
  const program = ts.createProgram({
    rootNames: [file],
    options: config?.options ?? {},
    projectReferences: config?.projectReferences ?? [],
  });
  const root = program
    .getSourceFile(file)
    ?.statements.find(
      (statement) => ts.isInterfaceDeclaration(statement) && statement.name.text === 'JsonResults',
    );
  if (root === undefined) throw new Error(`${file} has no interface JsonResults`);
  return new Describer(program.getTypeChecker(), root).describe();
}

class Describer {
  readonly #checker: ts.TypeChecker;
  readonly #root: ts.Node;
  readonly #named = new Map<string, { readonly symbol: ts.Symbol; described?: DescribedType }>();

  constructor(checker: ts.TypeChecker, root: ts.Node) {
    this.#checker = checker;
    this.#root = root;
  }

  describe(): DescribedResults {
    const { fields } = this.#describeMembers(this.#checker.getTypeAtLocation(this.#root), '');
    return {
      results: fields.map(({ name, type }) => [name, type]),
      types: [...this.#named.values()]
        .flatMap(({ described }) => described ?? [])
        .sort((one, other) => (one.name < other.name ? -1 : 1)),
    };
  }

  #describeMembers(type: ts.Type, name: string): DescribedType {
    const fields = this.#checker.getPropertiesOfType(type).map((member) => {
      const own = this.#checker.getTypeOfSymbolAtLocation(member, this.#root);
      const parts = partsOf(own);
      const optional =
        (member.flags & ts.SymbolFlags.Optional) !== 0 ||
        parts.some((part) => (part.flags & ts.TypeFlags.Undefined) !== 0);
      return {
        name: member.name,
        optional,
        type: this.#write(own),
        meaning: this.#meaning(member),
      };
    });
    const symbol = type.aliasSymbol ?? type.getSymbol();
    return { name, meaning: symbol === undefined ? '' : this.#meaning(symbol), fields };
  }

  #meaning(symbol: ts.Symbol): string {
    const text = ts.displayPartsToString(symbol.getDocumentationComment(this.#checker));
    return (
      text
        .split(/\n\n/, 1)[0]
        ?.replace(/\{@link ([\w.]+)\}/g, '$1')
        .replace(/\s+/g, ' ')
        .trim()
        // Since when a record has it: for who reads records.
        .replace(/ Format \d+\.$/, '') ?? ''
    );
  }

  /** A type in the notation of the page. */
  #write(type: ts.Type): string {
    if (isAnyJson(type)) return 'any';
    const parts = partsOf(type).filter((part) => (part.flags & ts.TypeFlags.Undefined) === 0);
    const words = [...new Set(parts.map((part) => this.#writeOne(part)))];
    const both = words.includes('true') && words.includes('false');
    const shown = both
      ? [...words.filter((word) => word !== 'true' && word !== 'false'), 'boolean']
      : words;
    return shown.sort().join(' | ');
  }

  #writeOne(type: ts.Type): string {
    const { flags } = type;
    if ((flags & ts.TypeFlags.StringLiteral) !== 0)
      return JSON.stringify((type as ts.StringLiteralType).value);
    if ((flags & (ts.TypeFlags.BooleanLiteral | ts.TypeFlags.NumberLiteral)) !== 0)
      return this.#checker.typeToString(type);
    if ((flags & ts.TypeFlags.StringLike) !== 0) return 'string';
    if ((flags & ts.TypeFlags.NumberLike) !== 0) return 'number';
    if ((flags & ts.TypeFlags.BigIntLike) !== 0) return 'integer';
    if ((flags & ts.TypeFlags.Null) !== 0) return 'null';
    if ((flags & ts.TypeFlags.Unknown) !== 0) return 'any';
    // A string of a kind of its own, such as a digest.
    if (
      type.isIntersection() &&
      type.types.some((part) => (part.flags & ts.TypeFlags.String) !== 0)
    )
      return 'string';
    return this.#writeObject(type);
  }

  #writeObject(type: ts.Type): string {
    const name = type.aliasSymbol?.name ?? type.getSymbol()?.name ?? '';
    if (this.#checker.isArrayType(type) || this.#checker.isTupleType(type)) {
      const items = this.#checker.getTypeArguments(type as ts.TypeReference);
      const item = [...new Set(items.map((one) => this.#write(one)))].join(' | ');
      return item.includes(' | ') ? `(${item})[]` : `${item}[]`;
    }
    if (name === 'Map' || name === 'ReadonlyMap') {
      const value = this.#checker.getTypeArguments(type as ts.TypeReference)[1];
      return `{ [name]: ${value === undefined ? 'any' : this.#write(value)} }`;
    }
    const index = type.getStringIndexType();
    if (index !== undefined) return `{ [name]: ${this.#write(index)} }`;
    if (
      type.getCallSignatures().length > 0 ||
      /^(Set|ReadonlySet|Uint8Array|Buffer|Date)$/.test(name)
    )
      throw new Error(`${this.#checker.typeToString(type)} is nothing that JSON has`);
    if (name === '' || name === '__type' || name === '__object') return this.#writeInline(type);
    this.#remember(type, name);
    return name;
  }

  #writeInline(type: ts.Type): string {
    const { fields } = this.#describeMembers(type, '');
    const members = fields.map(
      (field) => `${field.name}${field.optional ? '?' : ''}: ${field.type}`,
    );
    return `{ ${members.join(', ')} }`;
  }

  #remember(type: ts.Type, name: string): void {
    const symbol = type.aliasSymbol ?? type.symbol;
    const known = this.#named.get(name);
    if (known !== undefined) {
      if (known.symbol !== symbol) throw new Error(`there are two types with the name ${name}`);
      return;
    }
    const entry: { readonly symbol: ts.Symbol; described?: DescribedType } = { symbol };
    this.#named.set(name, entry);
    entry.described = this.#describeMembers(type, name);
  }
}

/** Whether a type is that of any JSON, whose name is lost where it stands with `undefined`. */
function isAnyJson(type: ts.Type): boolean {
  const flags = partsOf(type).reduce((all, part) => all | part.flags, 0);
  return [ts.TypeFlags.Null, ts.TypeFlags.String, ts.TypeFlags.Number, ts.TypeFlags.Object].every(
    (kind) => (flags & kind) !== 0,
  );
}

function partsOf(type: ts.Type): readonly ts.Type[] {
  return type.isUnion() ? type.types : [type];
}
