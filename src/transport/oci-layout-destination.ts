import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { syncFolder, writeFileAtomically } from '../base/atomic-file.js';
import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { parseStrictJson, type JsonObject, type JsonValue } from '../base/strict-json.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { digestAlgorithm, digestHex, type Digest } from '../oci/digest.js';
import { OCI_INDEX } from '../oci/media-types.js';
import { MAX_MANIFEST_BYTES, parseManifest } from '../oci/parse-manifest.js';
import { BlobFolder } from './blob-folder.js';
import { explainWriteError } from './explain-write-error.js';
import type {
  BlobContent,
  ImageDestination,
  PutManifest,
  PutOptions,
} from './image-destination.js';

/** Where producers put the name of an image in index.json. */
export const REF_NAME = 'org.opencontainers.image.ref.name';

/** The oci-layout file (image-spec v1.1 image-layout.md). */
export const LAYOUT_FILE = '{"imageLayoutVersion":"1.0.0"}';

/** Files that are written side by side: a disk gains nothing from more. */
const MAX_PARALLEL = 4;

/**
 * An OCI layout in a directory, which is made if it is not there; other images in it stay. The image becomes part of it with
 * the rename of index.json.
 */
export class OciLayoutDestination implements ImageDestination {
  readonly name: string;
  readonly maxParallel = MAX_PARALLEL;
  readonly takesIndex = true;
  readonly keepsManifests = true;
  readonly onlyFormat = 'oci';
  readonly #path: string;
  readonly #imageName: string | undefined;
  readonly #folder: BlobFolder;
  #prepared: Promise<void> | undefined;
  #top: PutManifest | undefined;

  constructor(path: string, imageName: string | undefined) {
    this.#path = path;
    this.#imageName = imageName;
    this.#folder = new BlobFolder(path);
    this.name = `oci:${path}${imageName === undefined ? '' : `:${imageName}`}`;
  }

  async hasBlob(blob: Descriptor): Promise<boolean> {
    await this.#prepare();
    return await this.#folder.has(blobPath(blob.digest), blob.size);
  }

  async putBlob(blob: Descriptor, content: BlobContent, { signal }: PutOptions): Promise<void> {
    await this.#prepare();
    await this.#folder.write(blobPath(blob.digest), content({ lend: true }), signal);
  }

  async putManifest(manifest: PutManifest, { signal }: PutOptions): Promise<void> {
    await this.#prepare();
    await this.#folder.write(blobPath(manifest.digest), [manifest.bytes], signal);
    if (manifest.isTop) this.#top = manifest;
  }

  async commit(): Promise<void> {
    if (this.#top === undefined) throw new Error('internal error: an image without a manifest');
    for (const algorithm of await readdir(join(this.#path, 'blobs'))) {
      await syncFolder(join(this.#path, 'blobs', algorithm));
    }
    const entry = indexEntry(this.#top, this.#imageName);
    const index = join(this.#path, 'index.json');
    const text = withEntry(await this.#readIndex(index), entry);
    try {
      await writeFileAtomically(index, text);
    } catch (error) {
      throw explainWriteError(this.#path, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Files are open only while they are written.
  }

  #prepare(): Promise<void> {
    this.#prepared ??= this.#makeLayout().catch((error: unknown) => {
      throw explainWriteError(this.#path, error);
    });
    return this.#prepared;
  }

  /** Writes into an empty folder or a layout, and nowhere else: a wrong path must not be filled with blobs. */
  async #makeLayout(): Promise<void> {
    await makeFolders(this.#path);
    const names = await readdir(this.#path);
    if (names.includes('oci-layout')) return;
    if (names.length > 0) {
      throw new OperationalError(
        'DESTINATION_EXISTS',
        `${quote(this.#path)} is neither empty nor an OCI layout, refusing to write into it`,
      );
    }
    await writeFileAtomically(join(this.#path, 'oci-layout'), LAYOUT_FILE);
  }

  async #readIndex(path: string): Promise<JsonObject | undefined> {
    let bytes: Buffer;
    try {
      const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      await file.close();
      bytes = await readFileBounded(path, { maxBytes: MAX_MANIFEST_BYTES });
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
    const what = `the index of ${quote(this.name)}`;
    const parsed = parseManifest(bytes, { what });
    if (parsed.kind !== 'index') throw new OperationalError('MANIFEST_INVALID', `${what} is none`);
    return parseStrictJson(bytes, { what }) as JsonObject;
  }
}

/** What index.json says of an image. */
export function indexEntry(manifest: PutManifest, imageName: string | undefined): JsonObject {
  return {
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.bytes.length,
    ...(imageName === undefined ? {} : { annotations: { [REF_NAME]: imageName } }),
  };
}

/** index.json with an entry more; in place of the one that has its name, or, without a name, that is the same image. */
export function withEntry(index: JsonObject | undefined, entry: JsonObject): string {
  const old = index?.['manifests'];
  const kept = (Array.isArray(old) ? (old as JsonValue[]) : []).filter((other) => {
    const sameName = nameOf(other) === nameOf(entry);
    const sameImage = (other as JsonObject)['digest'] === entry['digest'];
    return !(sameName && (nameOf(entry) !== undefined || sameImage));
  });
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    ...index,
    manifests: [...kept, entry],
  });
}

function nameOf(entry: JsonValue): string | undefined {
  const annotations = (entry as JsonObject)['annotations'] as JsonObject | null | undefined;
  const name = annotations?.[REF_NAME];
  return typeof name === 'string' ? name : undefined;
}

/** Where a blob lies in a layout. */
export function blobPath(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}
