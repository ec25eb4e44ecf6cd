import type { RegistriesConf } from '../registry/registries-conf.js';
import type { RegistryClient } from '../registry/registry-client.js';

/** What opening an image takes. */
export interface TransportContext {
  /** Shared by all sources; outlives them. */
  readonly registryClient: RegistryClient;
  readonly registriesConf: RegistriesConf;
  /** What relative paths are relative to. */
  readonly workingDirectory: string;
  /** How registries prove who they are, whatever registries.conf says: `--tls-verify`. */
  readonly tlsVerify?: boolean | undefined;
  /** Where archives that cannot be read in place are put aside. */
  readonly spoolDirectory: string;
  /** Finds the docker engine's socket; asked only where an image is the engine's. */
  readonly engineSocket: () => string;
}
