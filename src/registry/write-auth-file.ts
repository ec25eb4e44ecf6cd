import { dirname } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { writeFileAtomically } from '../base/atomic-file.js';
import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { parseStrictJson, type JsonObject, type JsonValue } from '../base/strict-json.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { MAX_AUTH_FILE_BYTES, normaliseKey } from './auth-files.js';
import { tellCredentialHelper } from './credential-helper.js';
import type { Credentials } from './credentials.js';

/** Which file, and what its helpers need. */
export interface AuthFilePlace {
  readonly path: string;
  readonly helperEnv: Readonly<Record<string, string>>;
}

/**
 * Files the credentials of a registry in an auth.json, which only its owner can read, or with the helper that the file names for
 * it. What else stands in the file stays.
 *
 * @throws {@link OperationalError} CONFIG_INVALID if the file cannot be understood; it is left as it is
 */
export async function storeCredentials(
  place: AuthFilePlace,
  registry: string,
  credentials: Credentials & { readonly kind: 'password' },
): Promise<void> {
  const file = await readAuthFile(place.path);
  const helper = helperFor(file, registry);
  if (helper !== undefined) {
    await tellCredentialHelper(
      helper,
      { verb: 'store', registry, credentials },
      { env: place.helperEnv },
    );
    return;
  }
  const pair = `${credentials.username}:${credentials.password}`;
  const auth = Buffer.from(pair, 'utf8').toString('base64');
  const auths = without(file['auths'], registry);
  await writeAuthFile(place.path, { ...file, auths: { ...auths, [registry]: { auth } } });
}

/**
 * Takes the credentials of a registry out of an auth.json. Gives whether there were any.
 *
 * @throws {@link OperationalError} CONFIG_INVALID
 */
export async function removeCredentials(place: AuthFilePlace, registry: string): Promise<boolean> {
  const file = await readAuthFile(place.path);
  const helper = helperFor(file, registry);
  if (helper !== undefined) {
    await tellCredentialHelper(helper, { verb: 'erase', registry }, { env: place.helperEnv });
    return true;
  }
  const before = objectOf(file['auths']) ?? {};
  const auths = without(before, registry);
  if (Object.keys(auths).length === Object.keys(before).length) return false;
  await writeAuthFile(place.path, { ...file, auths });
  return true;
}

function helperFor(file: JsonObject, registry: string): string | undefined {
  const own = Object.entries(objectOf(file['credHelpers']) ?? {}).find(
    ([key]) => normaliseKey(key) === registry,
  )?.[1];
  const helper = own ?? file['credsStore'];
  return typeof helper === 'string' && helper !== '' ? helper : undefined;
}

function without(auths: JsonValue | undefined, registry: string): JsonObject {
  const kept = Object.entries(objectOf(auths) ?? {}).filter(
    ([key]) => normaliseKey(key) !== registry,
  );
  return Object.fromEntries(kept);
}

async function readAuthFile(path: string): Promise<JsonObject> {
  let bytes: Buffer;
  try {
    bytes = await readFileBounded(path, { maxBytes: MAX_AUTH_FILE_BYTES });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return {};
    throw error;
  }
  try {
    const file = objectOf(parseStrictJson(bytes, { what: path }));
    if (file !== undefined) return file;
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
  }
  // No cause: a message about a broken line could hold a password.
  throw new OperationalError(
    'CONFIG_INVALID',
    `${quote(path)} is not valid JSON, refusing to write it`,
  );
}

async function writeAuthFile(path: string, file: JsonObject): Promise<void> {
  await makeFolders(dirname(path), 0o700);
  await writeFileAtomically(path, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
}

function objectOf(value: JsonValue | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}
