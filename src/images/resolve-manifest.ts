import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import type { ImageManifest } from '../oci/manifest.js';
import { parseManifest } from '../oci/parse-manifest.js';
import type { Platform } from '../oci/platform.js';
import { formatPlatform, listPlatforms, rankManifests } from '../oci/select-platform.js';
import type { ImageSource, ManifestDocument } from '../transport/image-source.js';

/** Deepest nesting of indexes: buildx makes two, archives of archives three. */
const MAX_INDEX_DEPTH = 6;

/** Most documents that are read on the way to one manifest: an index of indexes must not keep berth reading for ever. */
const MAX_DOCUMENTS = 32;

/** The one manifest that a reference means on a platform. */
export interface ResolvedManifest {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly manifest: ImageManifest;
  /** What the reference led to first: an index, or the manifest itself. */
  readonly topDigest: Digest;
}

/** What {@link resolveManifest} takes. */
export interface ResolveManifestOptions {
  readonly platform: Platform;
  readonly signal: AbortSignal;
  /**
   * Gets what the reference leads to, before anything in it is believed, and the manifest for the platform where that is another
   * document; may throw.
   */
  readonly accept?: ((document: ManifestDocument, isTop: boolean) => Promise<void>) | undefined;
}

/**
 * Follows a reference through indexes to the manifest for a platform. The reference is resolved once: from there on
 * everything is asked for by digest, so what is looked at is what is pulled (CVE-2022-47633).
 *
 * @throws {@link OperationalError} PLATFORM_NOT_FOUND naming what there is; MANIFEST_INVALID for an index that contains itself
 */
export async function resolveManifest(
  source: ImageSource,
  options: ResolveManifestOptions,
): Promise<ResolvedManifest> {
  const search = new ManifestSearch(source, options);
  return await search.run();
}

class ManifestSearch {
  readonly #source: ImageSource;
  readonly #platform: Platform;
  readonly #signal: AbortSignal;
  readonly #accept: NonNullable<ResolveManifestOptions['accept']>;
  readonly #seenPlatforms = new Set<string>();
  #documents = 0;

  constructor(source: ImageSource, options: ResolveManifestOptions) {
    this.#source = source;
    this.#accept = options.accept ?? (() => Promise.resolve());
    this.#platform = options.platform;
    this.#signal = options.signal;
  }

  async run(): Promise<ResolvedManifest> {
    const top = await this.#source.readManifest(undefined, { signal: this.#signal });
    await this.#accept(top, true);
    const found = await this.#descend(top, { promisedType: undefined, path: [] });
    if (found !== undefined) return { ...found, topDigest: top.digest };
    const there = [...this.#seenPlatforms].slice(0, 20).map(quote).join(', ');
    throw new OperationalError(
      'PLATFORM_NOT_FOUND',
      `${quote(this.#source.name)} does not exist for ${formatPlatform(this.#platform)}: ${
        there === '' ? 'it names no platform at all' : `there is ${there}`
      }`,
    );
  }

  async #descend(
    document: ManifestDocument,
    at: { readonly promisedType: string | undefined; readonly path: readonly Digest[] },
  ): Promise<Omit<ResolvedManifest, 'topDigest'> | undefined> {
    const what = `the manifest of ${quote(this.#source.name)}`;
    const parsed = parseManifest(document.bytes, {
      what,
      contentType: document.mediaType,
      promisedType: at.promisedType,
    });
    if (parsed.kind === 'manifest') {
      if (at.path.length > 0) await this.#accept(document, false);
      return { digest: document.digest, bytes: document.bytes, manifest: parsed.manifest };
    }
    for (const platform of listPlatforms(parsed.index)) this.#seenPlatforms.add(platform);
    const path = [...at.path, document.digest];
    if (path.length > MAX_INDEX_DEPTH) {
      throw new OperationalError(
        'MANIFEST_INVALID',
        `${what} nests indexes deeper than ${MAX_INDEX_DEPTH} levels`,
      );
    }
    for (const entry of rankManifests(parsed.index, this.#platform)) {
      const found = await this.#descend(await this.#read(entry, path), {
        promisedType: entry.mediaType,
        path,
      });
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #read(entry: Descriptor, path: readonly Digest[]) {
    const what = quote(this.#source.name);
    if (path.includes(entry.digest)) {
      throw new OperationalError('MANIFEST_INVALID', `${what} has an index that contains itself`);
    }
    if (++this.#documents > MAX_DOCUMENTS) {
      throw new OperationalError(
        'MANIFEST_INVALID',
        `${what} leads through more than ${MAX_DOCUMENTS} indexes and manifests`,
      );
    }
    const document = await this.#source.readManifest(entry.digest, { signal: this.#signal });
    if (document.bytes.length !== entry.size) {
      throw new OperationalError(
        'CONTENT_MISMATCH',
        `a manifest of ${what} has ${document.bytes.length} bytes, expected ${entry.size}`,
      );
    }
    return document;
  }
}
