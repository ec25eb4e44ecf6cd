import { existsSync } from 'node:fs';

import { quote } from '../base/escape-text.js';
import type { AsyncScope } from '../base/scope.js';
import type { BerthConf } from '../config/berth-conf.js';
import { resolveHostPaths, type HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { createRegistryClient } from '../registry/create-registry-client.js';
import type { FindCredentials } from '../registry/credentials.js';
import { patienceOf } from '../registry/patience.js';
import { loadRegistriesConf } from '../registry/registries-conf.js';
import { readTrustedRealms } from '../registry/trusted-realms.js';
import { engineSocket } from '../transport/docker-engine.js';
import { findMeanings } from '../transport/open-image-source.js';
import type { TransportContext } from '../transport/transport-context.js';
import { parseImageName } from '../transport/parse-image-name.js';
import type { CliContext } from './context.js';
import { usersFile } from './users-files.js';
import type { RegistryOptionValues } from './registry-options.js';

/** Everything that images are read from and written to, for one command or one side of it. */
export interface Transports {
  /**
   * What opening the image `text` takes. Credentials of the command line go to the registry of the first image that is opened,
   * and to no other: an image's dependencies may come from elsewhere.
   *
   * @throws OperationalError USAGE if it is not clear which registry that is
   */
  contextFor(text: string): Promise<TransportContext>;
  /** The client of all of them. */
  openClient(): Promise<TransportContext['registryClient']>;
}

/** What {@link openTransports} takes. */
export interface TransportOptions extends RegistryOptionValues {
  readonly conf: BerthConf;
  /** Of the tree that is worked on; the running host's unless given. */
  readonly paths?: HostPaths;
}

/** Makes {@link Transports} of the options of a command; connections are closed with the scope. */
export function openTransports(
  context: CliContext,
  scope: AsyncScope,
  options: TransportOptions,
): Transports {
  let opened: Promise<TransportContext> | undefined;
  let credentialsFor: string | undefined;
  const find: FindCredentials = ({ registry }) =>
    Promise.resolve(registry === credentialsFor ? options.creds : undefined);
  return {
    contextFor: async (text) => {
      const transports = await (opened ??= open(context, scope, { options, find }));
      if (options.creds !== undefined) credentialsFor ??= registryOf(text, transports);
      return transports;
    },
    openClient: async () =>
      (await (opened ??= open(context, scope, { options, find }))).registryClient,
  };
}

async function open(
  context: CliContext,
  scope: AsyncScope,
  {
    options,
    find,
  }: {
    readonly options: TransportOptions;
    readonly find: FindCredentials;
  },
): Promise<TransportContext> {
  const { env } = context.host;
  const { authfile, certDir, conf, creds, tlsVerify } = options;
  const maxRate = options.maxRate ?? conf.network['max-rate'];
  const { path, dropInFolders } = registriesConfPlaces(context);
  const registriesConf = await loadRegistriesConf(path, {
    aliasFile: aliasFile(env),
    dropInFolders,
  });
  const registryClient = scope.use(
    createRegistryClient({
      env: authfile === undefined ? env : { ...env, REGISTRY_AUTH_FILE: authfile },
      uid: process.geteuid?.() ?? 0,
      credentialHelpers: registriesConf.credentialHelpers,
      overrides: {
        trustedRealmHosts: readTrustedRealms(conf.network['trusted-realm-hosts']),
        ...patienceOf({
          connectTimeoutMs: conf.network['connect-timeout'],
          timeoutMs: conf.network.timeout,
          retries: conf.network.retries,
        }),
        ...(certDir === undefined ? {} : { certDir }),
        ...(creds === undefined ? {} : { findCredentials: find }),
        ...(maxRate === undefined ? {} : { maxBytesPerSecond: maxRate }),
      },
    }),
  );
  return {
    registryClient,
    registriesConf,
    workingDirectory: workingDirectory(),
    tlsVerify,
    spoolDirectory: spoolDirectory(context),
    createDecompressor: async (compression, output) => {
      const { createDecompressor } = await import('../layer/create-decompressor.js');
      return createDecompressor(compression, { take: output });
    },
    engineSocket: () => engineSocket(env),
    openRepositoryImage: async ({ reference, repository }) => {
      const { repositoryPath } = await import('./open-store.js');
      const { RepositoryImages } = await import('../store/ostree/repository-images.js');
      const { RepositorySource } = await import('../images/repository-source.js');
      const paths = options.paths ?? resolveHostPaths({ mode: 'system', env });
      const root = repository ?? repositoryPath(paths, conf);
      return new RepositorySource(new RepositoryImages(root), reference);
    },
  };
}

function registryOf(text: string, transports: TransportContext): string | undefined {
  const name = parseImageName(text, transports.workingDirectory);
  if (name.kind !== 'registry') return undefined;
  const [meaning, ...others] = findMeanings(name, transports);
  if (others.length === 0) return meaning?.reference.registry;
  throw new OperationalError(
    'USAGE',
    `--creds: ${quote(text)} may mean several registries, refusing to show credentials to all of them`,
    { hint: 'name the registry too' },
  );
}

/** A folder that was removed has no path any more; what is looked for there is not found, and all else works. */
function workingDirectory(): string {
  try {
    return process.cwd();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '/proc/self/cwd';
    throw error;
  }
}

/** Images are larger than what a /tmp in memory should hold. */
function spoolDirectory(context: CliContext): string {
  const chosen = context.host.env['TMPDIR'];
  return chosen === undefined || chosen === '' ? '/var/tmp' : chosen;
}

/**
 * containers-registries.conf(5): the variable that its other readers know, too, then a user's own file in the place of the
 * system's, and the drop-ins of both.
 */
function registriesConfPlaces({ host: { env } }: CliContext): {
  readonly path: string;
  readonly dropInFolders?: readonly string[];
} {
  const moved = env['CONTAINERS_REGISTRIES_CONF'];
  if (moved !== undefined && moved !== '') return { path: moved };
  const system = '/etc/containers/registries.conf';
  const own = usersFile(env, 'registries.conf');
  if (own === undefined) return { path: system };
  return { path: existsSync(own) ? own : system, dropInFolders: [`${system}.d`, `${own}.d`] };
}

/** Where podman records what short names mean: those who asked it once get the same from berth. */
function aliasFile(env: CliContext['host']['env']): string | undefined {
  const name = 'containers/short-name-aliases.conf';
  if (process.geteuid?.() === 0) return `/var/cache/${name}`;
  const home = env['HOME'];
  const cache = env['XDG_CACHE_HOME'] ?? (home === undefined ? undefined : `${home}/.cache`);
  return cache === undefined ? undefined : `${cache}/${name}`;
}
