import { join } from 'node:path';

import { readFileBounded } from '../base/bounded-read.js';
import { readdir } from '../base/quick-files.js';
import { parseToml } from '../base/toml.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';

/** Largest configuration file in bytes; the distributions' shortnames.conf has some 10 KB. */
const MAX_CONFIG_BYTES = 1024 * 1024;

const SHORT_NAME_MODES = ['enforcing', 'permissive', 'disabled'] as const;

/**
 * What a short name without an alias means where several registries are searched (containers-registries.conf(5)): nothing, or the
 * first that has it. Nobody is asked, at a terminal either: what is installed must not hang on who types it.
 */
export type ShortNameMode = (typeof SHORT_NAME_MODES)[number];

/** Which pulls a mirror serves (containers-registries.conf(5)). */
export type PullFromMirror = 'all' | 'digest-only' | 'tag-only';

/** Where a registry or mirror is, and how it is spoken to. */
export interface RegistryLocation {
  /** `HOST[:PORT][/NAMESPACE…]`. */
  readonly location: string;
  readonly insecure: boolean;
}

/** A `[[registry.mirror]]`. */
export interface MirrorRule extends RegistryLocation {
  readonly pullFromMirror: PullFromMirror;
}

/** A `[[registry]]`. */
export interface RegistryRule extends RegistryLocation {
  /** `HOST[:PORT][/NAMESPACE…]` or `*.HOST`; the longest that fits decides. */
  readonly prefix: string;
  readonly blocked: boolean;
  readonly mirrors: readonly MirrorRule[];
}

/** What registries.conf and its drop-ins say. */
export interface RegistriesConf {
  /** Tried in this order for short names; undefined: nothing is said. */
  readonly unqualifiedSearch: readonly string[] | undefined;
  readonly aliases: ReadonlyMap<string, string>;
  readonly rules: readonly RegistryRule[];
  /** `permissive` unless something is said. */
  readonly shortNameMode?: ShortNameMode | undefined;
  /** Who is asked for credentials, in this order: programs, and `containers-auth.json` for the files; the files alone unless something is said. */
  readonly credentialHelpers?: readonly string[] | undefined;
}

/** No configuration: short names are the hub's. */
export const EMPTY_REGISTRIES_CONF: RegistriesConf = {
  unqualifiedSearch: undefined,
  aliases: new Map(),
  rules: [],
};

/**
 * Loads registries.conf and then its drop-ins by name (`registries.conf.d/*.conf`). A later file replaces the rule of the same prefix and the
 * search list as a whole, and adds to the aliases. Files that are not there say nothing. With `aliasFile`, the aliases that podman
 * recorded there (short-name-aliases.conf) come before all others, as they do for podman; nothing else in it counts.
 *
 * @throws {@link OperationalError} CONFIG_INVALID naming the file
 */
export async function loadRegistriesConf(
  path: string,
  options: {
    readonly aliasFile?: string | undefined;
    /** Folders of drop-ins, later ones above; `PATH.d` unless given. */
    readonly dropInFolders?: readonly string[] | undefined;
  } = {},
): Promise<RegistriesConf> {
  let conf = EMPTY_REGISTRIES_CONF;
  const { aliasFile, dropInFolders = [`${path}.d`] } = options;
  const dropIns: string[] = [];
  for (const folder of dropInFolders) dropIns.push(...(await listDropIns(folder)));
  for (const file of [path, ...dropIns]) {
    const found = await loadFile(file);
    if (found !== undefined) conf = merge(conf, found);
  }
  const recorded = aliasFile === undefined ? undefined : await loadFile(aliasFile);
  return recorded === undefined
    ? conf
    : { ...conf, aliases: new Map([...conf.aliases, ...recorded.aliases]) };
}

async function loadFile(file: string): Promise<RegistriesConf | undefined> {
  try {
    const bytes = await readFileBounded(file, { maxBytes: MAX_CONFIG_BYTES });
    return parseRegistriesConf(bytes.toString('utf8'), file);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/**
 * Parses one file of containers-registries.conf(5), version 2, or version 1 as hosts of 2017 still have it.
 *
 * @throws {@link OperationalError} CONFIG_INVALID
 */
export function parseRegistriesConf(text: string, file: string): RegistriesConf {
  const table = new TomlFields(parseToml(text, file), file, '');
  const old = table.optionalTable('registries');
  if (old !== undefined) return parseVersion1(old);
  return {
    unqualifiedSearch: table.optionalStrings('unqualified-search-registries'),
    aliases: new Map(table.optionalTable('aliases')?.stringEntries() ?? []),
    rules: table.tables('registry').map(parseRule),
    shortNameMode: parseShortNameMode(table),
    credentialHelpers: table.optionalStrings('credential-helpers'),
  };
}

function parseShortNameMode(table: TomlFields): ShortNameMode | undefined {
  const text = table.optionalString('short-name-mode');
  const mode = SHORT_NAME_MODES.find((known) => known === text);
  if (text !== undefined && text !== '' && mode === undefined)
    table.fail(`has short-name-mode '${text}': expected ${SHORT_NAME_MODES.join(', ')}`);
  return mode;
}

async function listDropIns(folder: string): Promise<readonly string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => name.endsWith('.conf'))
      .sort()
      .map((name) => join(folder, name));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

function merge(below: RegistriesConf, above: RegistriesConf): RegistriesConf {
  const replaced = new Set(above.rules.map(({ prefix }) => prefix));
  return {
    unqualifiedSearch: above.unqualifiedSearch ?? below.unqualifiedSearch,
    aliases: new Map([...below.aliases, ...above.aliases]),
    rules: [...below.rules.filter(({ prefix }) => !replaced.has(prefix)), ...above.rules],
    shortNameMode: above.shortNameMode ?? below.shortNameMode,
    credentialHelpers: above.credentialHelpers ?? below.credentialHelpers,
  };
}

function parseRule(table: TomlFields): RegistryRule {
  const prefix = table.optionalString('prefix') ?? table.optionalString('location');
  if (prefix === undefined || prefix === '') table.fail('has neither prefix nor location');
  const wildcard = prefix.startsWith('*.');
  const location = table.optionalString('location') ?? '';
  if (location === '' && !wildcard && table.optionalString('prefix') === undefined) {
    table.fail('has no location');
  }
  const digestOnly = table.optionalBoolean('mirror-by-digest-only') ?? false;
  return {
    prefix: checkLocation(table, wildcard ? prefix.slice(2) : prefix, wildcard),
    // A wildcard without location serves each host by its own name.
    location: location === '' ? (wildcard ? '' : prefix) : checkLocation(table, location, false),
    insecure: table.optionalBoolean('insecure') ?? false,
    blocked: table.optionalBoolean('blocked') ?? false,
    mirrors: table.tables('mirror').map((mirror) => parseMirror(mirror, digestOnly)),
  };
}

function parseMirror(table: TomlFields, digestOnly: boolean): MirrorRule {
  const pullFromMirror =
    table.optionalString('pull-from-mirror') ?? (digestOnly ? 'digest-only' : 'all');
  if (
    pullFromMirror !== 'all' &&
    pullFromMirror !== 'digest-only' &&
    pullFromMirror !== 'tag-only'
  ) {
    table.fail(`has pull-from-mirror '${pullFromMirror}': expected all, digest-only or tag-only`);
  }
  return {
    location: checkLocation(table, table.optionalString('location') ?? '', false),
    insecure: table.optionalBoolean('insecure') ?? false,
    pullFromMirror,
  };
}

/** Gives a wildcard back with its `*.`. */
function checkLocation(table: TomlFields, text: string, wildcard: boolean): string {
  const clean = text.replace(/\/+$/, '');
  if (!/^[A-Za-z0-9[][A-Za-z0-9_.:\][-]*(\/[a-z0-9._-]+)*$/.test(clean)) {
    table.fail(`names '${text}', which is not HOST[:PORT][/NAMESPACE]`);
  }
  return wildcard ? `*.${clean}` : clean;
}

/** `[registries.search]`, `.insecure` and `.block`, each with a list of hosts. */
function parseVersion1(old: TomlFields): RegistriesConf {
  const list = (name: string): readonly string[] =>
    old.optionalTable(name)?.optionalStrings('registries') ?? [];
  const search = list('search');
  const insecure = list('insecure');
  const blocked = list('block');
  return {
    unqualifiedSearch: search.length === 0 ? undefined : search,
    aliases: new Map(),
    rules: [...new Set([...insecure, ...blocked])].map((host) => ({
      prefix: host,
      location: host,
      insecure: insecure.includes(host),
      blocked: blocked.includes(host),
      mirrors: [],
    })),
  };
}

/** The members of one TOML table, read with their types checked. */
class TomlFields {
  readonly #table: Readonly<Record<string, unknown>>;
  readonly #file: string;
  readonly #name: string;

  constructor(table: unknown, file: string, name: string) {
    this.#file = file;
    this.#name = name;
    if (typeof table !== 'object' || table === null || Array.isArray(table)) {
      this.fail('is not a table');
    }
    this.#table = table as Readonly<Record<string, unknown>>;
  }

  optionalString(key: string): string | undefined {
    const value = this.#table[key];
    if (value === undefined || typeof value === 'string') return value;
    return this.fail(`has a ${key} that is not text`);
  }

  optionalBoolean(key: string): boolean | undefined {
    const value = this.#table[key];
    if (value === undefined || typeof value === 'boolean') return value;
    return this.fail(`has a ${key} that is neither true nor false`);
  }

  optionalStrings(key: string): readonly string[] | undefined {
    const value = this.#table[key];
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.fail(`has a ${key} that is not a list`);
    return value.map((item: unknown) =>
      typeof item === 'string' ? item : this.fail(`has a ${key} with something other than text`),
    );
  }

  optionalTable(key: string): TomlFields | undefined {
    const value = this.#table[key];
    return value === undefined ? undefined : new TomlFields(value, this.#file, `[${key}]`);
  }

  tables(key: string): readonly TomlFields[] {
    const value = this.#table[key];
    if (value === undefined) return [];
    if (!Array.isArray(value)) return this.fail(`has a ${key} that is not a list of tables`);
    return value.map(
      (item, index) => new TomlFields(item, this.#file, `[[${key}]] number ${index + 1}`),
    );
  }

  stringEntries(): readonly (readonly [string, string])[] {
    return Object.keys(this.#table).map((key) => [key, this.optionalString(key) ?? '']);
  }

  fail(why: string): never {
    throw new OperationalError('CONFIG_INVALID', `${this.#file}: ${this.#name} ${why}`);
  }
}
