import type { ContainerName } from '../base/container-name.js';
import { quote } from '../base/escape-text.js';
import { suggestName } from '../base/suggest-name.js';
import { OperationalError } from '../errors/operational-error.js';
import { isVariableName, type ExportsManifest } from './exports-manifest.js';
import { findValueProblem, typeValue, valueError } from './variable-declaration.js';
import type { ResolvedValue, Values } from './values.js';

/** Variables that berth alone decides. */
export const FORCED_VARIABLES = [
  'DESTDIR',
  'NAME',
  'EXEC_START',
  'EXEC_STOP',
  'EXEC_STARTPRE',
  'EXEC_STOPPOST',
  'HOST_UID',
  'HOST_GID',
  'IMAGE_ID',
  'IMAGE_NAME',
  'ATOMIC',
] as const;

/** Variables that the host decides unless the user does; the image's own defaults do not come before these, except UUID's. */
export const OVERRIDABLE_VARIABLES = [
  'RUN_DIRECTORY',
  'STATE_DIRECTORY',
  'CONF_DIRECTORY',
  'UUID',
  'PIDFILE',
  'RUNTIME',
  'ALL_PROCESS_CAPABILITIES',
] as const;

/** What {@link resolveValues} needs. */
export interface ResolveValuesInput {
  readonly name: ContainerName;
  /** Who owns what is made: root, or the user in user mode. */
  readonly user: { readonly uid: number; readonly gid: number };
  /** RUN_DIRECTORY, STATE_DIRECTORY and CONF_DIRECTORY: `/run`, `/var/lib`, `/etc`, or the user's own. */
  readonly directories: {
    readonly run: string;
    readonly state: string;
    readonly configuration: string;
  };
  /** `/var/lib/berth/NAME`, whatever the deployment is. */
  readonly destdir: string;
  /** Hexadecimal part of the image's digest, as the forerunner had it, and its canonical name. */
  readonly image: { readonly id: string; readonly name: string };
  /** Command lines for the unit, quoted as systemd wants them; may be empty. */
  readonly exec: {
    readonly start: string;
    readonly stop: string;
    readonly startPre: string;
    readonly stopPost: string;
  };
  /** Path of berth itself. */
  readonly program: string;
  /** Name or path of the OCI runtime. */
  readonly runtime: string;
  /** Every capability of the host's kernel: `CAP_CHOWN`, …. */
  readonly capabilities: readonly string[];
  /** Fresh at the first installation, from the deployment's record afterwards: rendering again gives the same text. */
  readonly uuid: string;
  readonly manifest: ExportsManifest;
  /** From `--values FILE`. */
  readonly fileValues: ReadonlyMap<string, string>;
  /** From `--set`; they win. */
  readonly setValues: ReadonlyMap<string, string>;
  /** Secrets that were given before and are kept unless they are given again. */
  readonly keptSecrets?: ReadonlyMap<string, string>;
  /** Folder in which the container finds its secrets. */
  readonly credentialsPath: string;
  /** Variables that are decided when a file is rendered: none is missing. */
  readonly rendered?: readonly string[];
  /** Variables of all templates in use. */
  readonly used: readonly string[];
}

/** What {@link resolveValues} gives. */
export interface ResolvedValues {
  readonly values: Values;
  /** What the secrets are, by name; they are nowhere else. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
  /** Names that were given and that the image knows nothing of: their values are nowhere. */
  readonly unknown: ReadonlySet<string>;
}

/**
 * Decides every variable. Who wins: berth's forced ones; `--set`; the values file; the host's defaults; the image's. The
 * value of a secret is the path of its credential.
 *
 * @throws {@link OperationalError} VARIABLE_MISSING naming all that have no value; VALUE_INVALID naming, at once, these and
 *   all that are not allowed or try to set what berth decides
 */
export function resolveValues(input: ResolveValuesInput): ResolvedValues {
  refuseSecretBasics(input.manifest);
  const chosen = new Map<string, { text: string; source: ResolvedValue['source'] }>();
  const put = (
    source: ResolvedValue['source'],
    entries: Iterable<readonly [string, string]>,
  ): void => {
    for (const [name, text] of entries) chosen.set(name, { text, source });
  };
  for (const [name, declaration] of input.manifest.variables) {
    if (declaration.default !== undefined) put('default', [[name, declaration.default]]);
  }
  put('default', input.manifest.defaultValues);
  const given = new Map([...input.fileValues, ...input.setValues]);
  const unknown = findUnknown(input, given);
  const isKnown = ([name]: readonly [string, string]): boolean => !unknown.has(name);
  put('host', hostDefaults(input, given));
  for (const [name, text] of input.keptSecrets ?? []) {
    if (input.manifest.variables.get(name)?.secret === true) put('file', [[name, text]]);
  }
  put('file', [...input.fileValues].filter(isKnown));
  put('set', [...input.setValues].filter(isKnown));
  put('forced', forcedValues(input));
  const missing = findMissing(input, chosen);
  const forced = FORCED_VARIABLES.filter((name) => given.has(name));
  const wrong = findWrong(input.manifest, chosen);
  if (missing.length + forced.length + wrong.size > 0)
    throw problemsOf(input, { missing, forced, wrong });
  const values = new Map<string, ResolvedValue>();
  const secrets = new Map<string, string>();
  for (const [name, { text, source }] of chosen) {
    const declaration = input.manifest.variables.get(name);
    const secret = declaration?.secret ?? false;
    const path = `${input.credentialsPath}/${name}`;
    if (secret) secrets.set(name, text);
    values.set(name, {
      text: secret ? path : text,
      typed: secret ? path : typeValue(declaration, text),
      source,
      secret,
      isUnitSyntax: source === 'forced' && name.startsWith('EXEC_'),
    });
  }
  const warnings = [...warnOfUnknown(unknown, input), ...findDroppedSecrets(input)];
  return { values, secrets, warnings, unknown };
}

/**
 * Parses the `NAME=VALUE` arguments of `--set`; the last one of a name wins.
 *
 * @throws {@link OperationalError} USAGE
 */
export function parseSetArguments(args: readonly string[]): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const arg of args) {
    const equals = arg.indexOf('=');
    const name = arg.slice(0, equals);
    if (equals < 1 || !isVariableName(name)) {
      // What stands behind the '=' is not shown, and without one it is not known which of the two it is: it may be a secret.
      const got =
        equals < 0 ? "a text without '='" : `${quote(name)}, which cannot name a variable`;
      throw new OperationalError('USAGE', `--set: expected NAME=VALUE, got ${got}`);
    }
    values.set(name, arg.slice(equals + 1));
  }
  return values;
}

/** As the forerunner had them: these come before the image's defaults; UUID's default may be the image's. */
function hostDefaults(
  input: ResolveValuesInput,
  given: ReadonlyMap<string, string>,
): readonly (readonly [string, string])[] {
  const { directories, name } = input;
  const pidfileDirectory = given.get('RUN_DIRECTORY') ?? directories.run;
  const defaults: (readonly [string, string])[] = [
    ['RUN_DIRECTORY', directories.run],
    ['STATE_DIRECTORY', directories.state],
    ['CONF_DIRECTORY', directories.configuration],
    ['PIDFILE', `${pidfileDirectory}/container-${name}.pid`],
    ['RUNTIME', input.runtime],
    ['ALL_PROCESS_CAPABILITIES', input.capabilities.map((cap) => JSON.stringify(cap)).join(',\n')],
  ];
  if (!input.manifest.defaultValues.has('UUID')) defaults.push(['UUID', input.uuid]);
  return defaults;
}

function forcedValues(input: ResolveValuesInput): readonly (readonly [string, string])[] {
  return [
    ['DESTDIR', input.destdir],
    ['NAME', input.name],
    ['EXEC_START', input.exec.start],
    ['EXEC_STOP', input.exec.stop],
    ['EXEC_STARTPRE', input.exec.startPre],
    ['EXEC_STOPPOST', input.exec.stopPost],
    ['HOST_UID', input.user.uid.toString()],
    ['HOST_GID', input.user.gid.toString()],
    ['IMAGE_ID', input.image.id],
    ['IMAGE_NAME', input.image.name],
    ['ATOMIC', input.program],
  ];
}

/** What units and paths are made of cannot be hidden. */
function refuseSecretBasics(manifest: ExportsManifest): void {
  const name = [...FORCED_VARIABLES, ...OVERRIDABLE_VARIABLES].find(
    (basic) => manifest.variables.get(basic)?.secret === true,
  );
  if (name === undefined) return;
  throw new OperationalError(
    'EXPORTS_INVALID',
    `/exports/manifest.json is not valid: variables.${name}.secret: ${name} cannot be a secret`,
  );
}

function findMissing(
  input: ResolveValuesInput,
  chosen: ReadonlyMap<string, unknown>,
): readonly string[] {
  const required = [...input.manifest.variables]
    .filter(([, declaration]) => declaration.required)
    .map(([name]) => name);
  return [...new Set([...input.used, ...required])].filter(
    (name) => !chosen.has(name) && input.rendered?.includes(name) !== true,
  );
}

/** The one choke point that every value passes, wherever it came from (image, file, command line, host): why which is wrong. */
function findWrong(
  manifest: ExportsManifest,
  chosen: ReadonlyMap<string, { readonly text: string }>,
): ReadonlyMap<string, string> {
  const wrong = new Map<string, string>();
  for (const [name, { text }] of chosen) {
    const declaration = manifest.variables.get(name);
    const problem =
      findTextProblem(text) ??
      (declaration === undefined ? undefined : findValueProblem(declaration, text));
    if (problem !== undefined) wrong.set(name, problem);
  }
  return wrong;
}

function findTextProblem(text: string): string | undefined {
  if (text.includes('\0')) return 'it has a NUL character';
  if (/\p{Surrogate}/u.test(text)) return 'it is not Unicode text';
  return text.length > MAX_VALUE_LENGTH
    ? `it is longer than ${MAX_VALUE_LENGTH} characters`
    : undefined;
}

/** One error for everything that is wrong with the values, so that it is put right at once. */
function problemsOf(
  { manifest }: ResolveValuesInput,
  found: {
    readonly missing: readonly string[];
    readonly forced: readonly string[];
    readonly wrong: ReadonlyMap<string, string>;
  },
): OperationalError {
  const { missing, forced, wrong } = found;
  // On a command line every user of the host could read a secret.
  const valueOf = (name: string): string =>
    manifest.variables.get(name)?.secret === true ? '@FILE' : 'VALUE';
  const hint =
    missing.length > 0
      ? `add ${missing.map((name) => `--set ${name}=${valueOf(name)}`).join(' ')}`
      : forced.includes('NAME')
        ? 'the name of the container is chosen with --name NAME'
        : undefined;
  if (forced.length + wrong.size === 0) {
    const words = missing.length === 1 ? 'no value for variable' : 'no values for variables';
    return new OperationalError('VARIABLE_MISSING', `${words} ${missing.join(', ')}`, { hint });
  }
  if (missing.length + wrong.size === 0) {
    const text = `${forced.join(', ')} cannot be set: berth decides it`;
    return new OperationalError('VALUE_INVALID', text, { hint });
  }
  const [only] = wrong;
  if (only !== undefined && missing.length + forced.length + wrong.size === 1) {
    return valueError(...only);
  }
  const all = [
    ...[...wrong].map(([name, problem]) => `${name}: ${problem}`),
    ...forced.map((name) => `${name}: berth decides it`),
    ...missing.map((name) => `${name}: no value`),
  ];
  return new OperationalError('VALUE_INVALID', `values cannot be used: ${all.join('; ')}`, {
    hint,
  });
}

/** A value that was kept as a secret does not become a text because the image changed its mind. */
function findDroppedSecrets(input: ResolveValuesInput): readonly string[] {
  return [...(input.keptSecrets ?? [])]
    .map(([name]) => name)
    .filter((name) => input.manifest.variables.get(name)?.secret !== true)
    .map((name) => `${name} is no secret of this image any more, its value is not carried over`);
}

/** The kernel takes no longer argument or environment string (MAX_ARG_STRLEN). */
const MAX_VALUE_LENGTH = 131_071;

/**
 * Names given but used by no template: probably misspelt, or meant for another image. Never fatal: the forerunner took
 * them. Their values are dropped: that of a misspelt secret would be written where everyone may read it.
 */
function findUnknown(
  input: ResolveValuesInput,
  given: ReadonlyMap<string, string>,
): ReadonlySet<string> {
  const known = new Set<string>([...knownNames(input), ...FORCED_VARIABLES]);
  return new Set([...given.keys()].filter((name) => !known.has(name)));
}

function knownNames(input: ResolveValuesInput): readonly string[] {
  return [
    ...new Set([
      ...input.used,
      ...input.manifest.variables.keys(),
      ...input.manifest.defaultValues.keys(),
      ...OVERRIDABLE_VARIABLES,
    ]),
  ];
}

function warnOfUnknown(unknown: ReadonlySet<string>, input: ResolveValuesInput): readonly string[] {
  return [...unknown].map((name) => {
    const suggestion = suggestName(name, knownNames(input));
    return `the image has no variable ${quote(name)}, ignoring it${
      suggestion === undefined ? '' : `; did you mean ${quote(suggestion)}?`
    }`;
  });
}
