import type { Descriptor } from './descriptor.js';

/** An image manifest (image-spec v1.1 manifest.md; Docker's schema 2 has the same shape). */
export interface ImageManifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Lowest layer first; at least one. */
  readonly layers: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** An image index (image-spec v1.1 image-index.md; Docker's manifest list has the same shape). */
export interface ImageIndex {
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
}
