import { createCredentialFinder, listAuthFiles } from './auth-files.js';
import { createProxyFinder } from './find-proxy.js';
import type { AuthFilePlace } from './write-auth-file.js';
import { RegistryClient, type RegistryClientOptions } from './registry-client.js';

/** What a program tells of where it runs. */
export interface RegistryEnvironment {
  /** The process's environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  /** `credential-helpers` of registries.conf. */
  readonly credentialHelpers?: readonly string[] | undefined;
  /** Overrides for single parts. */
  readonly overrides?: Partial<RegistryClientOptions>;
}

/** Folders of containers-certs.d(5), the user's own first. */
function listCertDirs(env: RegistryEnvironment['env'], uid: number): readonly string[] {
  const own =
    env['XDG_CONFIG_HOME'] ?? (env['HOME'] === undefined ? undefined : `${env['HOME']}/.config`);
  return [
    ...(uid === 0 || own === undefined ? [] : [`${own}/containers/certs.d`]),
    '/etc/containers/certs.d',
    '/etc/docker/certs.d',
  ];
}

/** What helpers need to find their keyrings; nothing else of the environment is theirs. */
function helperEnvironment(env: RegistryEnvironment['env']): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ['HOME', 'XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME', 'DBUS_SESSION_BUS_ADDRESS']) {
    const value = env[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}

/**
 * Makes a client that finds credentials, certificates and proxies where the ecosystem's tools have them.
 *
 * @throws OperationalError CONFIG_INVALID if the environment names a proxy that cannot be one
 */
export function createRegistryClient({
  env,
  uid,
  credentialHelpers,
  overrides,
}: RegistryEnvironment): RegistryClient {
  const bundle = env['SSL_CERT_FILE'];
  return new RegistryClient({
    certDirs: listCertDirs(env, uid),
    ...(bundle === undefined || bundle === '' ? {} : { bundle }),
    findCredentials: createCredentialFinder(listAuthFiles({ env, uid }), {
      helperEnv: helperEnvironment(env),
      helpers: credentialHelpers,
    }),
    findProxy: createProxyFinder(env),
    ...overrides,
  });
}

/**
 * Where a login is kept: the first of the files that are read, as podman does it.
 */
export function authFilePlace(env: RegistryEnvironment['env']): AuthFilePlace {
  const [path] = listAuthFiles({ env, uid: process.geteuid?.() ?? 0 });
  if (path === undefined) throw new Error('internal error: no place for accounts');
  return { path, helperEnv: helperEnvironment(env) };
}
