import type { RegistriesConf } from '../registry/registries-conf.js';
import type { RegistryClient } from '../registry/registry-client.js';
import type { ImageSource } from './image-source.js';
import type { OstreeName } from './parse-image-name.js';

/** How an archive may be packed as a whole. */
export type ArchiveCompression = 'gzip' | 'zstd';

/** Takes packed pieces, one at a time; plain ones come out at the callback that it was made with, and are used at once. */
export interface ArchiveDecompressor {
  write(chunk: Buffer): Promise<void>;
  /** Says that nothing more comes; resolves when everything has come out. */
  end(): Promise<void>;
  /** Stops at once; may be called again. */
  destroy(): void;
}

/** @throws OperationalError LIBRARY_MISSING where the host lacks what it takes */
export type CreateDecompressor = (
  compression: ArchiveCompression,
  output: (chunk: Buffer) => void,
) => Promise<ArchiveDecompressor>;

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
  /** Undoes the compression of those. */
  readonly createDecompressor: CreateDecompressor;
  /** Finds the docker engine's socket; asked only where an image is the engine's. */
  readonly engineSocket: () => string;
  /** Opens an image of an OSTree repository; undefined where there is none to read from. */
  readonly openRepositoryImage?: (name: OstreeName) => Promise<ImageSource>;
}
