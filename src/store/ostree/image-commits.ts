import {
  openFile,
  readTree,
  type Checksum,
  type Commit,
  type Repo,
} from '../../../ostree-adapter/index.js';
import { OperationalError } from '../../errors/operational-error.js';
import { digestAlgorithm, digestOf, parseDigest, type Digest } from '../../oci/digest.js';
import type { Descriptor } from '../../oci/descriptor.js';
import { MAX_IMAGE_CONFIG_BYTES, parseImageConfig } from '../../oci/parse-image-config.js';
import type { ImageManifest } from '../../oci/manifest.js';
import { MAX_MANIFEST_BYTES, parseManifest } from '../../oci/parse-manifest.js';
import { verifyBytes } from '../../oci/verify-content.js';
import { findByDigest } from '../abbreviated-digest.js';
import type { StoredImage } from '../image-store.js';
import { textOf, type CommitCatalogue } from './commit-catalogue.js';
import { CONFIG_FILE, MANIFEST, MANIFEST_DIGEST } from './commit-keys.js';
import { blobRef, fullName, parseImageRef } from './ref-names.js';
import { repositoryError } from './repository-error.js';

/** An image of the repository, as far as its commit says. */
export interface ImageCommit {
  readonly digest: Digest;
  /** Of one of its refs: they may lead to commits of different times with the same manifest. */
  readonly commit: Commit;
  readonly refs: readonly string[];
  /** Sorted, each once. */
  readonly names: readonly string[];
}

/** Where {@link ImageCommits} reads. */
export interface ImageCommitsPlace {
  readonly root: string;
  readonly repo: Repo;
}

/** The images among the commits of a repository. */
export class ImageCommits {
  readonly #place: ImageCommitsPlace;
  readonly #catalogue: CommitCatalogue;

  constructor(place: ImageCommitsPlace, catalogue: CommitCatalogue) {
    this.#place = place;
    this.#catalogue = catalogue;
  }

  /** All of them, sorted by digest. What cannot be read is passed to `onDamaged` with its ref. */
  list(onDamaged: (ref: string, error: unknown) => void): ImageCommit[] {
    const found = new Map<Digest, { commit: Commit; refs: string[]; names: Set<string> }>();
    for (const [ref, checksum] of this.#catalogue.refs()) {
      const parsed = parseImageRef(ref);
      if (parsed === undefined) continue;
      try {
        const commit = this.#catalogue.read(checksum);
        const digest = manifestDigestOf(commit);
        if (digest === undefined) {
          if (parsed.kind === 'name') throw damaged(ref, 'it leads to no image');
          continue;
        }
        const image = found.get(digest) ?? { commit, refs: [], names: new Set() };
        found.set(digest, image);
        image.refs.push(ref);
        if (parsed.kind === 'name') image.names.add(parsed.name);
      } catch (error) {
        onDamaged(ref, repositoryError(error, this.#place.root));
      }
    }
    return [...found]
      .map(([digest, { commit, refs, names }]) => ({
        digest,
        commit,
        refs,
        names: [...names].sort(),
      }))
      .sort((left, right) => (left.digest < right.digest ? -1 : 1));
  }

  /**
   * Everything about an image. Both documents are hashed and parsed again: what is damaged on the disk is not believed.
   *
   * @throws `OperationalError` STORE_INVALID
   */
  read({ digest, commit, names }: ImageCommit): StoredImage {
    try {
      const { manifest } = readManifest(digest, commit);
      const configBytes = this.#readConfig(manifest.config);
      const config = parseImageConfig(configBytes, { what: 'its configuration', manifest });
      const sizes = config.diffIds.map((diffId, index) => {
        const layer = this.#catalogue.findLayer(diffId, manifest.layers[index]?.digest);
        return layer?.contentBytes ?? manifest.layers[index]?.size ?? 0;
      });
      const contentBytes = sizes.reduce((sum, size) => sum + size, 0);
      const storedAtMs = commit.timestampSeconds * 1000;
      return {
        ...{ storage: 'ostree', digest, manifest, config, configBytes },
        ...{ names, storedAtMs, contentBytes },
      };
    } catch (error) {
      throw imageDamaged(digest, repositoryError(error, this.#place.root));
    }
  }

  /**
   * The documents of an image, hashed.
   *
   * @throws `OperationalError` STORE_INVALID
   */
  readDocuments({ digest, commit }: ImageCommit): {
    readonly manifestBytes: Uint8Array;
    readonly configBytes: Uint8Array;
  } {
    try {
      const { manifest, manifestBytes } = readManifest(digest, commit);
      return { manifestBytes, configBytes: this.#readConfig(manifest.config) };
    } catch (error) {
      throw imageDamaged(digest, repositoryError(error, this.#place.root));
    }
  }

  #readConfig(config: Descriptor): Buffer {
    const commit = this.#catalogue.find(blobRef(config.digest));
    if (commit === undefined) throw new RangeError('its configuration is missing');
    const object = readTree(this.#place.repo, commit.tree.contents).files.get(CONFIG_FILE);
    if (object === undefined) throw new RangeError('its configuration is missing');
    const bytes = readSmallFile(this.#place.repo, object, MAX_IMAGE_CONFIG_BYTES);
    verifyBytes(bytes, config);
    return bytes;
  }
}

/** The image of a name, as it stands or else in full since atomic wrote names as they were typed; or of a digest. */
export function findImageCommit(
  all: readonly ImageCommit[],
  nameOrDigest: string,
): ImageCommit | undefined {
  return findByName(all, nameOrDigest) ?? findByDigest(all, nameOrDigest);
}

/** As {@link findImageCommit}, by name alone. */
export function findByName(all: readonly ImageCommit[], name: string): ImageCommit | undefined {
  const full = fullName(name);
  return (
    all.find(({ names }) => names.includes(name)) ??
    all.find(({ names }) => names.some((known) => fullName(known) === full))
  );
}

function readManifest(
  digest: Digest,
  commit: Commit,
): { readonly manifest: ImageManifest; readonly manifestBytes: Buffer } {
  const manifestBytes = Buffer.from(textOf(commit.metadata.get(MANIFEST)) ?? '', 'utf8');
  if (manifestBytes.length > MAX_MANIFEST_BYTES) throw new RangeError('its manifest is too large');
  verifyBytes(manifestBytes, { digest });
  const parsed = parseManifest(manifestBytes, { what: 'its manifest' });
  if (parsed.kind !== 'manifest') throw new RangeError('it holds an index');
  return { manifest: parsed.manifest, manifestBytes };
}

/** The content of a small regular file of the repository. */
export function readSmallFile(repo: Repo, object: Checksum, maxBytes: number): Buffer {
  using file = openFile(repo, object);
  if (file.header.kind !== 'file') throw new RangeError('a link stands in the place of a file');
  if (file.size > maxBytes) throw new RangeError(`a file of it has ${file.size} bytes`);
  return file.readAll();
}

/** The digest of the manifest that a commit holds; undefined if it holds none. */
function manifestDigestOf(commit: Commit): Digest | undefined {
  const manifest = textOf(commit.metadata.get(MANIFEST));
  if (manifest === undefined) return undefined;
  const recorded = textOf(commit.metadata.get(MANIFEST_DIGEST));
  // It only tells the algorithm: of signed manifests of the first schema, it is not of the text that is kept here.
  const algorithm = recorded === undefined ? 'sha256' : digestAlgorithm(parseDigest(recorded));
  return digestOf(Buffer.from(manifest, 'utf8'), algorithm);
}

function imageDamaged(digest: Digest, error: unknown): unknown {
  if (!(error instanceof OperationalError || error instanceof RangeError)) return error;
  const why = error.message;
  return new OperationalError(
    'STORE_INVALID',
    `image ${digest} of the repository is damaged: ${why}`,
    {
      hint: 'pull the image again',
      cause: error,
    },
  );
}

function damaged(ref: string, why: string): OperationalError {
  return new OperationalError('STORE_INVALID', `the ref ${ref} is damaged: ${why}`, {
    hint: 'pull the image again',
  });
}
