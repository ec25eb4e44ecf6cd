import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import { parseManifest } from '../oci/parse-manifest.js';
import { DOCKER_HUB, formatReference, parseReference, qualifyReference } from '../oci/reference.js';
import { ArchiveWriter } from '../tar/archive-writer.js';
import type { ArchiveTarget } from './archive-output.js';
import type { BlobContent, ImageDestination, PutManifest } from './image-destination.js';
import { blobPath } from './oci-layout-destination.js';

/**
 * An archive as `docker load` and `podman load` read it, to a file or to the docker engine. Layers go into it as they are,
 * compressed or not, which both take: their sizes are known before their content is, so that nothing has to be put aside.
 */
export class DockerArchiveDestination implements ImageDestination {
  readonly name: string;
  readonly maxParallel = 1;
  readonly takesIndex = false;
  readonly keepsManifests = false;
  readonly #target: ArchiveTarget;
  readonly #writer: ArchiveWriter;
  readonly #repoTags: readonly string[];
  readonly #written = new Set<Digest>();
  #top: PutManifest | undefined;

  /** `reference` is the name that the image gets, if any. */
  constructor(name: string, target: ArchiveTarget, reference: string | undefined) {
    this.name = name;
    this.#target = target;
    this.#writer = new ArchiveWriter((bytes) => target.write(bytes));
    this.#repoTags = reference === undefined ? [] : [tagOf(reference)];
  }

  hasBlob(blob: Descriptor): Promise<boolean> {
    return Promise.resolve(this.#written.has(blob.digest));
  }

  async putBlob(blob: Descriptor, content: BlobContent): Promise<void> {
    await this.#writer.addFile(memberOf(blob.digest), blob.size, content());
    this.#written.add(blob.digest);
  }

  putManifest(manifest: PutManifest): Promise<void> {
    this.#top = manifest;
    return Promise.resolve();
  }

  async commit(): Promise<void> {
    if (this.#top === undefined) throw new Error('internal error: an image without a manifest');
    const parsed = parseManifest(this.#top.bytes, { what: 'the manifest' });
    if (parsed.kind !== 'manifest') {
      throw new OperationalError('MANIFEST_UNSUPPORTED', `${this.name} takes one image, no index`);
    }
    const { config, layers } = parsed.manifest;
    const list = [
      {
        Config: memberOf(config.digest),
        RepoTags: this.#repoTags,
        Layers: layers.map(({ digest }) => memberOf(digest)),
      },
    ];
    const bytes = Buffer.from(JSON.stringify(list));
    await this.#writer.addFile('manifest.json', bytes.length, [bytes]);
    await this.#writer.end();
    await this.#target.finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#target[Symbol.asyncDispose]();
  }
}

/** As docker 25 and later have it; what reads such archives follows the list. */
const memberOf = blobPath;

/** Whole, as programs read it: `docker.io/library/etcd:latest`. */
function tagOf(reference: string): string {
  const named = qualifyReference(parseReference(reference), DOCKER_HUB);
  return formatReference({ ...named, tag: named.tag ?? 'latest', digest: undefined });
}
