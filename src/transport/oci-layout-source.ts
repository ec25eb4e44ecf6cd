import { escapeText, quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { digestAlgorithm, digestHex, digestOf, type Digest } from '../oci/digest.js';
import { JsonFields } from '../oci/json-fields.js';
import { MAX_MANIFEST_BYTES, parseManifest } from '../oci/parse-manifest.js';
import { verifyBytes } from '../oci/verify-content.js';
import type { ImageFiles } from './image-files.js';
import type {
  BlobOptions,
  BlobStream,
  ImageIdentity,
  ImageSource,
  ManifestDocument,
  SourceOptions,
} from './image-source.js';

/** Where producers put the name of an image in index.json. */
const REF_NAME = 'org.opencontainers.image.ref.name';

/**
 * An image of an OCI layout (image-spec v1.1 image-layout.md), in a directory or in an archive: a USB stick, say. Its paths are
 * made of checked digests only, and only regular files are read.
 */
export class OciLayoutSource implements ImageSource {
  readonly name: string;
  readonly storeName: string;
  readonly identity: ImageIdentity;
  readonly #files: ImageFiles;
  readonly #prefix: string;
  readonly #imageName: string | undefined;

  /** Takes the files over: they are closed with this. */
  constructor(layout: {
    readonly transport: 'oci' | 'oci-archive';
    readonly files: ImageFiles;
    readonly imageName: string | undefined;
  }) {
    this.#files = layout.files;
    this.#imageName = layout.imageName;
    this.#prefix = `${layout.transport}:${layout.files.place}`;
    this.name = `${this.#prefix}${layout.imageName === undefined ? '' : `:${layout.imageName}`}`;
    this.storeName = this.name;
    const { transport, files, imageName } = layout;
    this.identity = { transport, path: files.place, imageName };
  }

  async readManifest(
    digest: Digest | undefined,
    { signal }: SourceOptions,
  ): Promise<ManifestDocument> {
    signal.throwIfAborted();
    if (digest !== undefined) return this.#readBlobDocument({ digest });
    const index = await this.#readIndex();
    const parsed = parseManifest(index, { what: `the index of ${quote(this.name)}` });
    if (parsed.kind !== 'index') {
      throw new OperationalError('MANIFEST_INVALID', `the index of ${quote(this.name)} is none`);
    }
    const chosen = this.#choose(parsed.index.manifests);
    if (chosen !== undefined) return this.#readBlobDocument(chosen);
    return { bytes: index, mediaType: undefined, digest: digestOf(index) };
  }

  async openBlob(descriptor: Descriptor, options: BlobOptions): Promise<BlobStream> {
    return await this.#files.openFile(blobPath(descriptor.digest), options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]();
  }

  /** The image that is meant, or undefined: the index itself, whose entries differ in platform only. */
  #choose(manifests: readonly Descriptor[]): Descriptor | undefined {
    const names = manifests.map(({ annotations }) => annotations?.[REF_NAME]);
    if (this.#imageName !== undefined) {
      const found = manifests[names.indexOf(this.#imageName)];
      if (found !== undefined) return found;
      throw this.#notFound(
        `there is no image ${quote(this.#imageName)} in ${quote(this.#files.place)}`,
        names,
      );
    }
    const [only, ...others] = manifests;
    if (only === undefined)
      throw this.#notFound(`${quote(this.#files.place)} holds no image`, names);
    if (others.length === 0) return only;
    if (names.every((name) => name === undefined)) return undefined;
    throw this.#notFound(`${quote(this.#files.place)} holds several images`, names);
  }

  #notFound(message: string, names: readonly (string | undefined)[]): OperationalError {
    const known = [...new Set(names.filter((name) => name !== undefined))].slice(0, 10);
    return new OperationalError('IMAGE_NOT_FOUND', message, {
      hint:
        known.length === 0
          ? undefined
          : `name one of them: ${known.map((name) => `${this.#prefix}:${escapeText(name)}`).join(', ')}`,
    });
  }

  async #readIndex(): Promise<Buffer> {
    const marker = JsonFields.parse(await this.#readFile('oci-layout'), {
      what: `the oci-layout file of ${quote(this.#files.place)}`,
      code: 'MANIFEST_INVALID',
    });
    if (!marker.string('imageLayoutVersion').startsWith('1.')) {
      marker.fail('imageLayoutVersion', 'is not 1.x');
    }
    return this.#readFile('index.json');
  }

  async #readBlobDocument(
    wanted: Pick<Descriptor, 'digest'> & Partial<Descriptor>,
  ): Promise<ManifestDocument> {
    const bytes = await this.#readFile(blobPath(wanted.digest));
    verifyBytes(bytes, wanted);
    return { bytes, mediaType: wanted.mediaType, digest: wanted.digest };
  }

  #readFile(path: string): Promise<Buffer> {
    return this.#files.readFile(path, MAX_MANIFEST_BYTES);
  }
}

function blobPath(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}
