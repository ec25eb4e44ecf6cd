import { join } from 'node:path';

import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { parseStrictJson, type JsonObject, type JsonValue } from '../base/strict-json.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { DOCKER_HUB } from '../oci/reference.js';
import { askCredentialHelper } from './credential-helper.js';
import type { Credentials, FindCredentials } from './credentials.js';

/** Largest auth.json in bytes; one with a hundred registries has some 50 KB. */
export const MAX_AUTH_FILE_BYTES = 1024 * 1024;

/** What docker calls its hub in config.json. */
const DOCKER_HUB_URL = 'https://index.docker.io/v1/';
const DOCKER_HUB_KEYS = ['index.docker.io/v1', 'index.docker.io', 'registry-1.docker.io'];

/** What decides where credentials are looked for. */
export interface AuthFileOptions {
  /** HOME, XDG_RUNTIME_DIR, XDG_CONFIG_HOME, REGISTRY_AUTH_FILE, DOCKER_CONFIG are read. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
}

/**
 * The files that containers-auth.json(5) names, first one first; with REGISTRY_AUTH_FILE that one alone.
 */
export function listAuthFiles({ env, uid }: AuthFileOptions): readonly string[] {
  const only = env['REGISTRY_AUTH_FILE'];
  if (only !== undefined && only !== '') return [only];
  const home = env['HOME'] ?? '/root';
  const runtimeDir = env['XDG_RUNTIME_DIR'];
  const configHome = env['XDG_CONFIG_HOME'] ?? join(home, '.config');
  return [
    runtimeDir === undefined || runtimeDir === ''
      ? `/run/containers/${uid}/auth.json`
      : join(runtimeDir, 'containers/auth.json'),
    join(configHome, 'containers/auth.json'),
    join(env['DOCKER_CONFIG'] ?? join(home, '.docker'), 'config.json'),
  ];
}

/** What `credential-helpers` of registries.conf calls the files. */
const FILES = 'containers-auth.json';

/** Where {@link createCredentialFinder} looks besides the files. */
export interface CredentialFinderOptions {
  /** The environment of helpers. */
  readonly helperEnv?: Readonly<Record<string, string>>;
  /** `credential-helpers` of registries.conf: helpers for all registries, and `containers-auth.json` where the files come in between. */
  readonly helpers?: readonly string[] | undefined;
}

/**
 * Finds credentials in files of the ecosystem's format. The first file with an entry for the repository, one of its namespaces
 * or its registry decides; an entry counts for exactly the name that it has, never for a similar one (CVE-2021-41092).
 * The files are read when the first registry asks, and not again.
 */
export function createCredentialFinder(
  paths: readonly string[],
  { helperEnv = {}, helpers = [FILES] }: CredentialFinderOptions = {},
): FindCredentials {
  const inFiles = findInFiles(paths, helperEnv);
  return async (target) => {
    for (const helper of helpers) {
      const found =
        helper === FILES
          ? await inFiles(target)
          : await askCredentialHelper(helper, serverOf(target.registry), { env: helperEnv });
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

/** Docker files its hub under a URL, with its helpers too. */
function serverOf(registry: string): string {
  return registry === DOCKER_HUB ? DOCKER_HUB_URL : registry;
}

function findInFiles(
  paths: readonly string[],
  helperEnv: Readonly<Record<string, string>>,
): FindCredentials {
  let loading: Promise<readonly AuthFile[]> | undefined;
  return async ({ registry, repository }) => {
    loading ??= Promise.all(paths.map(loadAuthFile));
    const keys = keysFor(registry, repository);
    for (const file of await loading) {
      const found = findInFile(file, keys);
      if (found === undefined) continue;
      if (found.kind !== 'helper') return found;
      const answer = await askCredentialHelper(found.name, serverOf(registry), { env: helperEnv });
      if (answer !== undefined) return answer;
    }
    return undefined;
  };
}

/** What stands in a file for a repository: credentials, or the helper that has them. */
type AuthEntry = Credentials | { readonly kind: 'helper'; readonly name: string };

/** A parsed file. */
export interface AuthFile {
  readonly entries: ReadonlyMap<string, AuthEntry>;
}

function findInFile({ entries }: AuthFile, keys: readonly string[]): AuthEntry | undefined {
  for (const key of keys) {
    const found = entries.get(key);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function loadAuthFile(path: string): Promise<AuthFile> {
  try {
    return parseAuthFile(await readFileBounded(path, { maxBytes: MAX_AUTH_FILE_BYTES }), path);
  } catch (error) {
    // Another user's file is as good as none: sudo keeps HOME on some hosts.
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return { entries: new Map() };
    throw error;
  }
}

/**
 * Parses auth.json or docker's config.json. An entry without credentials in it is docker's way of saying that its `credsStore` has
 * them; `credHelpers` names helpers for single registries, and goes before what else stands there.
 *
 * @throws {@link OperationalError} CONFIG_INVALID, which never quotes what stands in the file
 */
export function parseAuthFile(bytes: Uint8Array, path: string): AuthFile {
  let document: JsonValue;
  try {
    document = parseStrictJson(bytes, { what: path });
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    // No cause: a message about a broken line could hold a password.
    throw new OperationalError('CONFIG_INVALID', `${quote(path)} is not valid JSON`);
  }
  const top = asObject(document);
  const store = parseHelper(top?.['credsStore']);
  const entries = new Map<string, AuthEntry>();
  for (const [key, entry] of Object.entries(asObject(top?.['auths']) ?? {})) {
    const found = parseEntry(asObject(entry), `${quote(path)}, entry ${quote(key)}`) ?? store;
    if (found !== undefined) entries.set(normaliseKey(key), found);
  }
  for (const [key, name] of Object.entries(asObject(top?.['credHelpers']) ?? {})) {
    const helper = parseHelper(name);
    if (helper !== undefined) entries.set(normaliseKey(key), helper);
  }
  return { entries };
}

function parseHelper(name: JsonValue | undefined): AuthEntry | undefined {
  return typeof name === 'string' && name !== '' ? { kind: 'helper', name } : undefined;
}

function parseEntry(entry: JsonObject | undefined, where: string): Credentials | undefined {
  const token = entry?.['identitytoken'];
  if (typeof token === 'string' && token !== '') return { kind: 'refresh-token', token };
  const auth = entry?.['auth'];
  if (typeof auth !== 'string' || auth === '') return undefined;
  const pair = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = pair.indexOf(':');
  if (colon < 1 || /[\r\n\0]/.test(pair)) {
    throw new OperationalError('CONFIG_INVALID', `${where}: 'auth' is not base64 of USER:PASSWORD`);
  }
  return { kind: 'password', username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

/** The name under which an entry counts. docker writes URLs (`https://index.docker.io/v1/`): the host counts, for its hub with the path. */
export function normaliseKey(key: string): string {
  const url = /^https?:\/\/([^/]+)(\/.*)?$/.exec(key);
  const name = url === null ? key : `${url[1] ?? ''}${url[2] === '/v1/' ? '/v1' : ''}`;
  if (url !== null && name.endsWith('/v1') && name !== 'index.docker.io/v1') return url[1] ?? '';
  return name.replace(/\/+$/, '');
}

/** From the repository down to the registry. */
function keysFor(registry: string, repository: string): readonly string[] {
  const parts = repository.split('/');
  const names = parts.map((_, index) => parts.slice(0, parts.length - index).join('/'));
  return [
    ...names.map((name) => `${registry}/${name}`),
    registry,
    ...(registry === DOCKER_HUB ? DOCKER_HUB_KEYS : []),
  ];
}

function asObject(value: JsonValue | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}
