import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

import { readFileBounded } from '../base/bounded-read.js';
import { escapeText, quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { digestAlgorithm, digestHex, digestOf, type Digest } from '../oci/digest.js';
import { JsonFields } from '../oci/json-fields.js';
import { MAX_MANIFEST_BYTES, parseManifest } from '../oci/parse-manifest.js';
import { verifyBytes } from '../oci/verify-content.js';
import { openBlobStream } from './blob-stream.js';
import type { BlobStream, ImageSource, ManifestDocument, SourceOptions } from './image-source.js';

/** Where producers put the name of an image in index.json. */
const REF_NAME = 'org.opencontainers.image.ref.name';

/** How much of a blob is read at once, in bytes. */
const READ_BYTES = 1024 * 1024;

/**
 * An image of an OCI layout in a directory (image-spec v1.1 image-layout.md): a USB stick, say. Its paths are made of checked
 * digests only, and only regular files are read.
 */
export class OciLayoutSource implements ImageSource {
  readonly name: string;
  readonly storeName: string;
  readonly #path: string;
  readonly #imageName: string | undefined;

  constructor(layout: { readonly path: string; readonly imageName: string | undefined }) {
    this.#path = layout.path;
    this.#imageName = layout.imageName;
    this.name = `oci:${layout.path}${layout.imageName === undefined ? '' : `:${layout.imageName}`}`;
    this.storeName = this.name;
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

  async openBlob(descriptor: Descriptor, options: SourceOptions): Promise<BlobStream> {
    const file = await this.#open(this.#blobPath(descriptor.digest));
    return openBlobStream(options.signal, async function* (signal) {
      const stream = createReadStream('', { fd: file, highWaterMark: READ_BYTES, signal });
      for await (const chunk of stream as AsyncIterable<Uint8Array>) yield chunk;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Files are open only while they are read.
  }

  /** The image that is meant, or undefined: the index itself, whose entries differ in platform only. */
  #choose(manifests: readonly Descriptor[]): Descriptor | undefined {
    const names = manifests.map(({ annotations }) => annotations?.[REF_NAME]);
    if (this.#imageName !== undefined) {
      const found = manifests[names.indexOf(this.#imageName)];
      if (found !== undefined) return found;
      throw this.#notFound(
        `there is no image ${quote(this.#imageName)} in ${quote(this.#path)}`,
        names,
      );
    }
    const [only, ...others] = manifests;
    if (only === undefined) throw this.#notFound(`${quote(this.#path)} holds no image`, names);
    if (others.length === 0) return only;
    if (names.every((name) => name === undefined)) return undefined;
    throw this.#notFound(`${quote(this.#path)} holds several images`, names);
  }

  #notFound(message: string, names: readonly (string | undefined)[]): OperationalError {
    const known = [...new Set(names.filter((name) => name !== undefined))].slice(0, 10);
    return new OperationalError('IMAGE_NOT_FOUND', message, {
      hint:
        known.length === 0
          ? undefined
          : `name one of them: ${known.map((name) => `oci:${this.#path}:${escapeText(name)}`).join(', ')}`,
    });
  }

  async #readIndex(): Promise<Buffer> {
    const marker = JsonFields.parse(await this.#readFile(join(this.#path, 'oci-layout')), {
      what: `the oci-layout file of ${quote(this.#path)}`,
      code: 'MANIFEST_INVALID',
    });
    if (!marker.string('imageLayoutVersion').startsWith('1.')) {
      marker.fail('imageLayoutVersion', 'is not 1.x');
    }
    return this.#readFile(join(this.#path, 'index.json'));
  }

  async #readBlobDocument(
    wanted: Pick<Descriptor, 'digest'> & Partial<Descriptor>,
  ): Promise<ManifestDocument> {
    const bytes = await this.#readFile(this.#blobPath(wanted.digest));
    verifyBytes(bytes, wanted);
    return { bytes, mediaType: wanted.mediaType, digest: wanted.digest };
  }

  async #readFile(path: string): Promise<Buffer> {
    try {
      return await readFileBounded(path, { maxBytes: MAX_MANIFEST_BYTES });
    } catch (error) {
      throw explain(path, error);
    }
  }

  async #open(path: string) {
    try {
      const file = await open(path, 'r');
      if ((await file.stat()).isFile()) return file;
      await file.close();
      throw new OperationalError('CONTENT_MISMATCH', `${quote(path)} is not a regular file`);
    } catch (error) {
      throw explain(path, error);
    }
  }

  #blobPath(digest: Digest): string {
    return join(this.#path, 'blobs', digestAlgorithm(digest), digestHex(digest));
  }
}

function explain(path: string, error: unknown): unknown {
  if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) {
    return new OperationalError('IMAGE_NOT_FOUND', `there is no ${quote(path)}`, { cause: error });
  }
  if (isErrno(error, 'EACCES', 'EPERM', 'EIO', 'ENXIO', 'EISDIR')) {
    return new OperationalError('IMAGE_NOT_FOUND', `cannot read ${quote(path)}`, { cause: error });
  }
  return error;
}
