import { quote } from '../base/escape-text.js';
import { parseStrictJson } from '../base/strict-json.js';
import { runProgram, SubprocessError, type ProgramResult } from '../base/subprocess.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Credentials } from './credentials.js';

/** Largest answer of a helper in bytes; a token of a cloud has some ten KiB. */
const MAX_ANSWER_BYTES = 256 * 1024;

/** A helper that asks a network service may take a while; one that hangs must not hold an install for ever. */
const TIMEOUT_MS = 30_000;

/** How a helper is run. */
export interface HelperOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Part of a program's name: no slash, so it is one of the search path's. */
const HELPER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * Asks `docker-credential-NAME` for the credentials of a registry (docker-credential-helpers: `get`, the registry on standard
 * input, JSON on standard output). Undefined where it has none, which it says with status 1.
 *
 * @throws {@link OperationalError} CONFIG_INVALID for a name that is none, REGISTRY_UNAUTHORIZED if the helper is not installed or
 * answers nonsense; what it answered is never quoted
 */
export async function askCredentialHelper(
  name: string,
  registry: string,
  options: HelperOptions,
): Promise<Credentials | undefined> {
  const call = { verb: 'get', input: registry, okStatuses: [0, 1] } as const;
  const { status, stdout } = await runHelper(name, call, options);
  return status === 1 ? undefined : parseAnswer(stdout, name);
}

/**
 * Has `docker-credential-NAME` keep the credentials of a registry (`store`), or forget them (`erase`).
 *
 * @throws {@link OperationalError} CONFIG_INVALID for a name that is none, PROGRAM_MISSING, PROGRAM_FAILED, REGISTRY_UNAUTHORIZED if it hangs
 */
export async function tellCredentialHelper(
  name: string,
  told:
    | { readonly verb: 'store'; readonly registry: string; readonly credentials: Credentials }
    | { readonly verb: 'erase'; readonly registry: string },
  options: HelperOptions,
): Promise<void> {
  const input = told.verb === 'erase' ? told.registry : JSON.stringify(entryOf(told));
  try {
    await runHelper(name, { verb: told.verb, input, okStatuses: [0] }, options);
  } catch (error) {
    if (!(error instanceof SubprocessError) || told.verb === 'erase') throw error;
    // What it complains of may be what it was given.
    throw new OperationalError('PROGRAM_FAILED', hideEntry(error.message, told.credentials));
  }
}

function hideEntry(words: string, credentials: Credentials): string {
  const secret = credentials.kind === 'password' ? credentials.password : credentials.token;
  return words.replaceAll(secret, '…').replaceAll(JSON.stringify(secret).slice(1, -1), '…');
}

async function runHelper(
  name: string,
  call: {
    readonly verb: 'get' | 'store' | 'erase';
    readonly input: string;
    readonly okStatuses: readonly number[];
  },
  options: HelperOptions,
): Promise<ProgramResult> {
  if (!HELPER_NAME.test(name)) {
    throw new OperationalError('CONFIG_INVALID', `${quote(name)} is not a credential helper`);
  }
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return await runProgram([`docker-credential-${name}`, call.verb], {
      input: call.input,
      maxOutputBytes: MAX_ANSWER_BYTES,
      okStatuses: call.okStatuses,
      env: options.env,
      signal,
      // One that waits for a keyring may pass over the polite signal, and would keep berth from ending.
      killSignal: 'SIGKILL',
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new OperationalError(
      'REGISTRY_UNAUTHORIZED',
      `the credential helper ${quote(name)} did not answer within ${timeoutMs} milliseconds`,
    );
  }
}

function entryOf(told: { readonly registry: string; readonly credentials: Credentials }): object {
  const { credentials, registry: ServerURL } = told;
  return credentials.kind === 'password'
    ? { ServerURL, Username: credentials.username, Secret: credentials.password }
    : { ServerURL, Username: '<token>', Secret: credentials.token };
}

function parseAnswer(stdout: Uint8Array, name: string): Credentials {
  const nonsense = (): OperationalError =>
    // No cause: it could hold a password.
    new OperationalError(
      'REGISTRY_UNAUTHORIZED',
      `the credential helper ${quote(name)} gave something else than credentials`,
    );
  let answer: Readonly<Record<string, unknown>>;
  try {
    const value = parseStrictJson(stdout, { what: 'the answer' });
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw nonsense();
    answer = value as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw error instanceof OperationalError ? nonsense() : error;
  }
  const { Username: username, Secret: secret } = answer;
  if (typeof username !== 'string' || typeof secret !== 'string' || secret === '') throw nonsense();
  if (/[\r\n\0]/.test(username + secret)) throw nonsense();
  return username === '<token>'
    ? { kind: 'refresh-token', token: secret }
    : { kind: 'password', username, password: secret };
}
