import { readFileBoundedNow } from '../base/bounded-read.js';
import { escapeText, quote } from '../base/escape-text.js';
import { suggestName } from '../base/suggest-name.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { CONF_KEYS, type ConfKey } from './conf-keys.js';

type Sections = typeof CONF_KEYS;

/** What berth.conf and the environment say, with the defaults: one value a command, made where services are wired. */
export type BerthConf = {
  readonly [Section in keyof Sections]: {
    readonly [Key in keyof Sections[Section]]: Sections[Section][Key] extends ConfKey<infer T>
      ? T
      : never;
  };
};

/** The environment of the process. */
type Environment = Readonly<Record<string, string | undefined>>;

/** A configuration is typed by a person; more than this is another file. */
const MAX_CONF_BYTES = 65_536;

/** A line that is wrong is told in the words of the file; more of it helps nobody. */
const MAX_SHOWN = 60;

/** Where nothing is configured. */
export const DEFAULT_CONF: BerthConf = completeConf(() => undefined);

/** Where {@link loadBerthConf} reads. */
export interface LoadConfOptions {
  /** One that does not exist says nothing, unless `BERTH_CONFIG` names it. */
  readonly file: string;
  readonly env: Environment;
  /**
   * Gets what is wrong, which then counts as not said; without it the first is thrown. For what has to go on: a typing
   * error must not keep a host from booting.
   */
  readonly onProblem?: ((problem: OperationalError) => void) | undefined;
}

/**
 * Reads berth.conf and the environment.
 *
 * @throws {@link OperationalError} CONFIG_INVALID naming file, key and what was expected
 */
export async function loadBerthConf(options: LoadConfOptions): Promise<BerthConf> {
  const onProblem = options.onProblem ?? fail;
  return readBerthConf(await readDocument(options, onProblem), { ...options, onProblem });
}

/** The tables of the file; none where there is nothing to read. */
async function readDocument(
  { file, env }: LoadConfOptions,
  onProblem: (problem: OperationalError) => void,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    const bytes = readFileBoundedNow(file, { maxBytes: MAX_CONF_BYTES });
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    // Loaded where there is a file: most hosts have none, and every command comes by here.
    const { parseToml } = await import('../base/toml.js');
    return parseToml(text, file);
  } catch (error) {
    const missing = isErrno(error, 'ENOENT', 'ENOTDIR');
    if (missing && (env['BERTH_CONFIG'] ?? '') !== '')
      onProblem(invalid(`BERTH_CONFIG names ${quote(file)}, and there is no such file`, error));
    else if (error instanceof TypeError) onProblem(invalid(`${file}: is not UTF-8 text`, error));
    else if (error instanceof OperationalError) onProblem(invalid(error.message, error));
    else if (!missing) onProblem(invalid(`cannot read ${file}`, error));
    return {};
  }
}

/**
 * Reads the tables of berth.conf; the environment counts more. Everything that is wrong goes to `onProblem`.
 *
 * @throws what `onProblem` throws
 */
export function readBerthConf(
  document: Readonly<Record<string, unknown>>,
  options: Pick<LoadConfOptions, 'file' | 'env'> & {
    readonly onProblem: (problem: OperationalError) => void;
  },
): BerthConf {
  const { file, env, onProblem } = options;
  const problem = (words: string): void => {
    onProblem(invalid(`${file}: ${words}`));
  };
  const sections = readSections(document, options);
  for (const [section, table] of sections) {
    const known = section in CONF_KEYS ? CONF_KEYS[section as keyof Sections] : {};
    for (const key of table.keys()) {
      if (!Object.hasOwn(known, key))
        problem(`${path(section, key)} is not known${meant(key, Object.keys(known))}`);
    }
  }
  return completeConf((section, name, { kind, variable }) => {
    const said = variable === undefined ? undefined : env[variable];
    if (variable !== undefined && said !== undefined && said !== '') {
      const value = kind.readText(said);
      if (value === undefined)
        onProblem(invalid(`${variable}: expected ${kind.expected}, got ${quote(said)}`));
      return value;
    }
    const written = sections.get(section)?.get(name);
    if (written === undefined) return undefined;
    const value = kind.read(written);
    if (value === undefined)
      problem(`${path(section, name)}: expected ${kind.expected}, got ${show(written)}`);
    return value;
  });
}

/** The sections that are known, each with what is written in it. */
function readSections(
  document: Readonly<Record<string, unknown>>,
  { file, onProblem }: Parameters<typeof readBerthConf>[1],
): ReadonlyMap<string, ReadonlyMap<string, unknown>> {
  const sections = new Map<string, ReadonlyMap<string, unknown>>();
  for (const [section, table] of Object.entries(document)) {
    if (!Object.hasOwn(CONF_KEYS, section)) {
      const names = Object.keys(CONF_KEYS);
      const owner = Object.entries(CONF_KEYS).find(([, keys]) => Object.hasOwn(keys, section));
      const hint =
        owner === undefined ? meant(section, names) : `; it belongs below '[${owner[0]}]'`;
      onProblem(invalid(`${file}: ${quote(cut(section))} is not known${hint}`));
    } else if (typeof table !== 'object' || table === null || !isTable(table)) {
      onProblem(invalid(`${file}: ${section}: expected a section, got ${show(table)}`));
    } else {
      sections.set(section, new Map(Object.entries(table)));
    }
  }
  return sections;
}

/** TOML's tables come without a prototype; its lists and dates do not. */
function isTable(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function completeConf(
  said: (section: string, name: string, key: ConfKey<unknown>) => unknown,
): BerthConf {
  const complete = Object.entries(CONF_KEYS).map(([section, keys]) => [
    section,
    Object.fromEntries(
      Object.entries(keys as Readonly<Record<string, ConfKey<unknown>>>).map(([name, key]) => [
        name,
        said(section, name, key) ?? key.otherwise,
      ]),
    ),
  ]);
  // Built key by key from the table that the type is derived from.
  return Object.fromEntries(complete) as BerthConf;
}

function path(section: string, key: string): string {
  return quote(cut(`${section}.${key}`));
}

function meant(name: string, known: readonly string[]): string {
  const near = suggestName(cut(name), known);
  return near === undefined ? `; known are ${known.join(', ')}` : `; did you mean '${near}'?`;
}

/** A value of the file as a message shows it: never all of a long one. */
function show(value: unknown): string {
  if (typeof value === 'string') return quote(cut(value));
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null && isTable(value) ? 'a section' : 'a date';
}

function cut(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

function invalid(message: string, cause?: unknown): OperationalError {
  return new OperationalError('CONFIG_INVALID', escapeText(message, 1000), {
    cause,
    hint: "see 'man berth.conf'",
  });
}

function fail(problem: OperationalError): never {
  throw problem;
}
