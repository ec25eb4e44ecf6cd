import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { digestAlgorithm, digestHex, digestOf, type Digest } from '../oci/digest.js';
import { MAX_MANIFEST_BYTES } from '../oci/parse-manifest.js';
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

/** Largest signature in bytes that is read: one has some 1.5 KiB. */
const MAX_SIGNATURE_BYTES = 64 * 1024;

/** An image as `skopeo copy … dir:PATH` leaves it: manifest.json, further manifests and blobs beside it, by digest. */
export class DirSource implements ImageSource {
  readonly name: string;
  readonly storeName: string;
  readonly identity: ImageIdentity;
  readonly #files: ImageFiles;

  /** Takes the files over: they are closed with this. */
  constructor(files: ImageFiles) {
    this.#files = files;
    this.name = `dir:${files.place}`;
    this.storeName = this.name;
    this.identity = { transport: 'dir', path: files.place };
  }

  async readManifest(
    digest: Digest | undefined,
    { signal }: SourceOptions,
  ): Promise<ManifestDocument> {
    signal.throwIfAborted();
    if (digest === undefined) {
      const bytes = await this.#files.readFile('manifest.json', MAX_MANIFEST_BYTES);
      return { bytes, mediaType: undefined, digest: digestOf(bytes) };
    }
    const bytes = await this.#readByDigest(digest);
    verifyBytes(bytes, { digest });
    return { bytes, mediaType: undefined, digest };
  }

  async readSignature(digest: Digest | undefined, number: number): Promise<Buffer | undefined> {
    const prefix = digest === undefined ? '' : `${fileNameOf(digest)}.`;
    try {
      return await this.#files.readFile(`${prefix}signature-${number}`, MAX_SIGNATURE_BYTES);
    } catch (error) {
      if (error instanceof OperationalError && error.code === 'IMAGE_NOT_FOUND') return undefined;
      throw error;
    }
  }

  openBlob(descriptor: Descriptor, options: BlobOptions): Promise<BlobStream> {
    return this.#files.openFile(fileNameOf(descriptor.digest), options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]();
  }

  async #readByDigest(digest: Digest): Promise<Buffer> {
    try {
      return await this.#files.readFile(`${fileNameOf(digest)}.manifest.json`, MAX_MANIFEST_BYTES);
    } catch (error) {
      if (!(error instanceof OperationalError) || error.code !== 'IMAGE_NOT_FOUND') throw error;
    }
    const top = await this.#files.readFile('manifest.json', MAX_MANIFEST_BYTES);
    if (digestOf(top, digestAlgorithm(digest)) === digest) return top;
    throw new OperationalError(
      'IMAGE_NOT_FOUND',
      `there is no manifest ${digest} in ${quote(this.#files.place)}`,
    );
  }
}

/** What a blob is called in a `dir:`: the bare hexadecimal part for sha256, as containers/image has it. */
export function fileNameOf(digest: Digest): string {
  const algorithm = digestAlgorithm(digest);
  return algorithm === 'sha256' ? digestHex(digest) : `${algorithm}-${digestHex(digest)}`;
}
