import type { Digest } from './digest.js';
import type { Platform } from './platform.js';

/** What refers to content: its type, digest and size (image-spec v1.1 descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Exact size of the content in bytes; a safe integer, not negative. */
  readonly size: number;
  /** Only in an index: what the image runs on. */
  readonly platform?: Platform | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly artifactType?: string | undefined;
  /** Content embedded by the producer; not trusted until it matches digest and size. */
  readonly data?: Uint8Array | undefined;
}
