import type { Digest } from './digest.js';
import type { Platform } from './platform.js';

/** The configuration of an image (image-spec v1.1 config.md), as far as berth uses it. */
export interface ImageConfig {
  readonly platform: Platform;
  /** RFC 3339 text as it stands, or undefined; of a signed image it says how new that is. */
  readonly created: string | undefined;
  /** Digests of the uncompressed layers, lowest first; as many as the manifest has layers. */
  readonly diffIds: readonly Digest[];
  readonly process: ImageProcessDefaults;
  readonly labels: Readonly<Record<string, string>>;
}

/** The `config` member: how the image wants to be run. Lists are empty where the image says nothing. */
export interface ImageProcessDefaults {
  readonly user: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir: string;
  readonly stopSignal: string | undefined;
  /** Absolute paths, normalised. */
  readonly volumes: readonly string[];
  /** `PORT/PROTOCOL`. */
  readonly exposedPorts: readonly string[];
  readonly healthcheck: ImageHealthcheck | undefined;
}

/** Docker's `Healthcheck`; durations in nanoseconds as there, 0 meaning the default. */
export interface ImageHealthcheck {
  /** `['NONE']`, `['CMD', …]` or `['CMD-SHELL', command]`. */
  readonly test: readonly string[];
  readonly intervalNs: number;
  readonly timeoutNs: number;
  readonly startPeriodNs: number;
  readonly retries: number;
}
