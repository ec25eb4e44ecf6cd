import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { copyImage, type CopyOptions, type CopyResult } from '../../src/images/copy-image.js';
import { executePull, type PullProgress } from '../../src/images/execute-pull.js';
import { PartialDownloads } from '../../src/images/partial-downloads.js';
import { preparePull, type PullPlan } from '../../src/images/prepare-pull.js';
import { createDecompressor } from '../../src/layer/create-decompressor.js';
import type { HttpTimeouts } from '../../src/registry/http-timeouts.js';
import { EMPTY_REGISTRIES_CONF, type RegistriesConf } from '../../src/registry/registries-conf.js';
import { RegistryClient, type RegistryClientOptions } from '../../src/registry/registry-client.js';
import type { RetryPolicy } from '../../src/registry/retry.js';
import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import type { ImageStore, StoredImage } from '../../src/store/image-store.js';
import type { ImageSource } from '../../src/transport/image-source.js';
import type { ImageTrust } from '../../src/trust/image-trust.js';
import { openImageDestination } from '../../src/transport/open-image-destination.js';
import type { TransportContext } from '../../src/transport/transport-context.js';
import { openImageSource, type OpenImageOptions } from '../../src/transport/open-image-source.js';
import { acceptAnything } from './accept-anything.js';
import { TempDir } from './temp-dir.js';

/** Tries as often as the real policy, without its patience. */
export const quickRetries: RetryPolicy = {
  attempts: 4,
  baseDelayMs: 1,
  maxDelayMs: 4,
  maxServerDelayMs: 50,
};

/** For what never comes. Whatever is to succeed with these can fail on a busy machine. */
export const quickTimeouts: HttpTimeouts = { connectMs: 2000, headersMs: 400, idleMs: 400 };

/** For what comes: no test waits for their end. */
const patientTimeouts: HttpTimeouts = { connectMs: 30_000, headersMs: 30_000, idleMs: 30_000 };

/** What a test of a pull may set. */
export interface PullerOptions extends Partial<RegistryClientOptions> {
  readonly registriesConf?: RegistriesConf;
  /** Where a docker engine listens. */
  readonly engineSocket?: string;
  /** What decides which images are taken; all are unless given. */
  readonly trust?: ImageTrust;
  /** The folder of another one, which stays: what a later process does. */
  readonly after?: Puller;
  /** How long a blob may come before what comes of it is kept; as long as for anybody unless given. */
  readonly keepAfterMs?: number;
}

/** A client and an empty store, for one test. */
export class Puller implements AsyncDisposable {
  readonly store: ImageStore;
  readonly folder: TempDir;
  readonly warnings: string[] = [];
  readonly resumedAt: number[] = [];
  readonly trust: ImageTrust;
  readonly #ownsFolder: boolean;
  readonly #keepAfterMs: number | undefined;
  readonly #client: RegistryClient;
  readonly #conf: RegistriesConf;
  readonly #engineSocket: string;

  constructor(options: PullerOptions = {}) {
    this.folder = options.after?.folder ?? new TempDir();
    this.#ownsFolder = options.after === undefined;
    this.#keepAfterMs = options.keepAfterMs;
    this.trust = options.trust ?? acceptAnything;
    this.store = openEmbeddedStore(join(this.folder.path, 'store'));
    this.#conf = options.registriesConf ?? EMPTY_REGISTRIES_CONF;
    this.#engineSocket = options.engineSocket ?? '/nonexistent/docker.sock';
    this.#client = new RegistryClient({
      certDirs: [],
      retries: quickRetries,
      timeouts: patientTimeouts,
      ...options,
    });
  }

  open(name: string, options: Pick<OpenImageOptions, 'isStored'> = {}): Promise<ImageSource> {
    return openImageSource(name, this.#context(), {
      ...options,
      signal: new AbortController().signal,
    });
  }

  /** Copies as `berth copy` does. */
  async copy(
    from: string,
    to: string,
    options: Partial<
      Pick<CopyOptions, 'platform' | 'preserveDigests' | 'parallel' | 'format'>
    > = {},
  ): Promise<CopyResult> {
    const { signal } = new AbortController();
    await using source = await openImageSource(from, this.#context(), { signal });
    await using destination = await openImageDestination(to, this.#context(), {
      signal,
      from: source.repository,
    });
    return await copyImage({
      source,
      destination,
      platform: amd64,
      preserveDigests: false,
      signal,
      ...options,
    });
  }

  async prepare(name: string, platform = amd64): Promise<PullPlan> {
    const { signal } = new AbortController();
    return preparePull(await this.open(name), {
      store: this.store,
      platform,
      trust: this.trust,
      signal,
    });
  }

  async pull(
    name: string,
    options: {
      readonly signal?: AbortSignal;
      readonly onProgress?: (progress: PullProgress) => void;
    } = {},
  ): Promise<StoredImage> {
    const signal = options.signal ?? new AbortController().signal;
    await using source = await this.open(name);
    const plan = await preparePull(source, {
      store: this.store,
      platform: amd64,
      trust: this.trust,
      signal,
    });
    return await executePull(plan, {
      ...options,
      store: this.store,
      source,
      signal,
      partials: this.partials,
      onWarning: (message) => this.warnings.push(message),
      onResume: (_, bytes) => this.resumedAt.push(bytes),
    });
  }

  /** What is left of downloads that broke off. */
  get partials(): PartialDownloads {
    return new PartialDownloads(join(this.folder.path, 'partial'), {
      keepAfterMs: this.#keepAfterMs,
    });
  }

  /** Every file that stands in the store, by its path in there: what must not change when a pull is refused. */
  listStored(): readonly string[] {
    return readdirSync(this.folder.path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.folder.path.length + 1))
      .sort();
  }

  #context(): TransportContext {
    return {
      registryClient: this.#client,
      registriesConf: this.#conf,
      workingDirectory: '/',
      spoolDirectory: this.folder.path,
      createDecompressor: (compression, output) =>
        Promise.resolve(createDecompressor(compression, { take: output })),
      engineSocket: () => this.#engineSocket,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
    await this.store[Symbol.asyncDispose]();
    if (this.#ownsFolder) this.folder[Symbol.dispose]();
  }
}

/** The platform that the tests' images are made for. */
export const amd64 = { os: 'linux', architecture: 'amd64' };
