import { ArchiveWriter } from '../tar/archive-writer.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { ArchiveTarget } from './archive-output.js';
import type { BlobContent, ImageDestination, PutManifest } from './image-destination.js';
import { blobPath, indexEntry, LAYOUT_FILE, withEntry } from './oci-layout-destination.js';

/** An OCI layout in a new archive, written straight into it. */
export class OciArchiveDestination implements ImageDestination {
  readonly name: string;
  readonly maxParallel = 1;
  readonly takesIndex = true;
  readonly keepsManifests = true;
  readonly onlyFormat = 'oci';
  readonly #target: ArchiveTarget;
  readonly #writer: ArchiveWriter;
  readonly #imageName: string | undefined;
  readonly #written = new Set<string>();
  #top: PutManifest | undefined;

  constructor(target: ArchiveTarget, imageName: string | undefined) {
    this.#target = target;
    this.#writer = new ArchiveWriter((bytes) => target.write(bytes));
    this.#imageName = imageName;
    this.name = `oci-archive:${target.place}${imageName === undefined ? '' : `:${imageName}`}`;
  }

  hasBlob(blob: Descriptor): Promise<boolean> {
    return Promise.resolve(this.#written.has(blob.digest));
  }

  async putBlob(blob: Descriptor, content: BlobContent): Promise<void> {
    await this.#writer.addFile(blobPath(blob.digest), blob.size, content());
    this.#written.add(blob.digest);
  }

  async putManifest(manifest: PutManifest): Promise<void> {
    if (manifest.isTop) this.#top = manifest;
    if (this.#written.has(manifest.digest)) return;
    await this.#add(blobPath(manifest.digest), manifest.bytes);
    this.#written.add(manifest.digest);
  }

  async commit(): Promise<void> {
    if (this.#top === undefined) throw new Error('internal error: an image without a manifest');
    await this.#add('oci-layout', Buffer.from(LAYOUT_FILE));
    const index = withEntry(undefined, indexEntry(this.#top, this.#imageName));
    await this.#add('index.json', Buffer.from(index));
    await this.#writer.end();
    await this.#target.finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#target[Symbol.asyncDispose]();
  }

  #add(path: string, bytes: Uint8Array): Promise<void> {
    return this.#writer.addFile(path, bytes.length, [bytes]);
  }
}
