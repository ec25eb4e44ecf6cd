import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { syncFolder, writeFileAtomically } from '../base/atomic-file.js';
import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { BlobFolder } from './blob-folder.js';
import { fileNameOf } from './dir-source.js';
import { explainWriteError } from './explain-write-error.js';
import type {
  BlobContent,
  ImageDestination,
  PutManifest,
  PutOptions,
} from './image-destination.js';

/** What containers/image wants to see in such a folder. */
const VERSION_FILE = 'Directory Transport Version: 1.1\n';

const MAX_PARALLEL = 4;

/** A folder as skopeo writes it, made for one image. */
export class DirDestination implements ImageDestination {
  readonly name: string;
  readonly maxParallel = MAX_PARALLEL;
  readonly takesIndex = true;
  readonly keepsManifests = true;
  readonly #path: string;
  readonly #folder: BlobFolder;
  #prepared: Promise<void> | undefined;
  #top: PutManifest | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#folder = new BlobFolder(path);
    this.name = `dir:${path}`;
  }

  async hasBlob(blob: Descriptor): Promise<boolean> {
    await this.#prepare();
    return await this.#folder.has(fileNameOf(blob.digest), blob.size);
  }

  async putBlob(blob: Descriptor, content: BlobContent, { signal }: PutOptions): Promise<void> {
    await this.#prepare();
    await this.#folder.write(fileNameOf(blob.digest), content({ lend: true }), signal);
  }

  async putManifest(manifest: PutManifest, { signal }: PutOptions): Promise<void> {
    await this.#prepare();
    if (manifest.isTop) this.#top = manifest;
    else {
      const name = `${fileNameOf(manifest.digest)}.manifest.json`;
      await this.#folder.write(name, [manifest.bytes], signal);
    }
  }

  async commit(): Promise<void> {
    if (this.#top === undefined) throw new Error('internal error: an image without a manifest');
    await syncFolder(this.#path);
    await writeFileAtomically(join(this.#path, 'version'), VERSION_FILE);
    await writeFileAtomically(join(this.#path, 'manifest.json'), this.#top.bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Files are open only while they are written.
  }

  #prepare(): Promise<void> {
    this.#prepared ??= this.#makeFolder().catch((error: unknown) => {
      throw explainWriteError(this.#path, error);
    });
    return this.#prepared;
  }

  async #makeFolder(): Promise<void> {
    await makeFolders(this.#path);
    if ((await readdir(this.#path)).length === 0) return;
    throw new OperationalError(
      'DESTINATION_EXISTS',
      `${quote(this.#path)} is not empty, refusing to write into it`,
    );
  }
}
