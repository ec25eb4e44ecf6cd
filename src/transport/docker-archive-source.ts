import { createHash } from 'node:crypto';

import { escapeText, quote } from '../base/escape-text.js';
import { parseStrictJson } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { digestOf, parseDigest, type Digest } from '../oci/digest.js';
import { JsonFields } from '../oci/json-fields.js';
import { DOCKER_MANIFEST } from '../oci/media-types.js';
import { MAX_IMAGE_CONFIG_BYTES } from '../oci/parse-image-config.js';
import { MAX_MANIFEST_BYTES } from '../oci/parse-manifest.js';
import { DOCKER_HUB, formatReference, parseReference, qualifyReference } from '../oci/reference.js';
import { openBlobStream } from './blob-stream.js';
import type { ImageFiles } from './image-files.js';
import type {
  BlobOptions,
  BlobStream,
  ImageIdentity,
  ImageSource,
  ManifestDocument,
  SourceOptions,
} from './image-source.js';

/** Which image of an archive is meant. */
export interface ArchiveChoice {
  /** `NAME[:TAG]`. */
  readonly reference?: string | undefined;
  /** Its place in manifest.json, from 0. */
  readonly index?: number | undefined;
}

/** Most images in one archive: `docker save` of a whole registry host has some hundred. */
const MAX_IMAGES = 4096;

const CONFIG_TYPE = 'application/vnd.docker.container.image.v1+json';
const PLAIN_LAYER_TYPE = 'application/vnd.docker.image.rootfs.diff.tar';
const GZIP_LAYER_TYPE = 'application/vnd.docker.image.rootfs.diff.tar.gzip';

/** An image of manifest.json. Paths are as they stand there, read in the archive only. */
interface SavedImage {
  readonly config: string;
  readonly names: readonly string[];
  readonly layers: readonly string[];
}

/** What the archive holds of the image, in the shape that everything else reads. */
interface OpenedImage {
  readonly manifest: ManifestDocument;
  readonly configDigest: Digest;
  readonly configBytes: Buffer;
  readonly paths: ReadonlyMap<Digest, string>;
}

/**
 * An image of `docker save`, of skopeo's docker-archive, or of podman save. Such archives have no manifest of their own: one is
 * made here, of what the archive says of itself. Layers are named by what they unpack to, so their content is verified all
 * the same: the digest of a plain layer is its diff id.
 */
export class DockerArchiveSource implements ImageSource {
  readonly name: string;
  readonly storeName: string;
  readonly identity: ImageIdentity;
  readonly #files: ImageFiles;
  readonly #choice: ArchiveChoice;
  #opened: Promise<OpenedImage> | undefined;

  /** Takes the files over: they are closed with this. */
  constructor(
    name: string,
    files: ImageFiles,
    choice: ArchiveChoice & { readonly identity: ImageIdentity },
  ) {
    this.name = name;
    this.storeName = name;
    this.identity = choice.identity;
    this.#files = files;
    this.#choice = choice;
  }

  async readManifest(
    digest: Digest | undefined,
    { signal }: SourceOptions,
  ): Promise<ManifestDocument> {
    const { manifest } = await this.#open(signal);
    if (digest === undefined || digest === manifest.digest) return manifest;
    throw new OperationalError(
      'IMAGE_NOT_FOUND',
      `there is no manifest ${digest} in ${quote(this.#files.place)}`,
    );
  }

  async openBlob(descriptor: Descriptor, options: BlobOptions): Promise<BlobStream> {
    const { signal } = options;
    const { configDigest, configBytes, paths } = await this.#open(signal);
    if (descriptor.digest === configDigest) {
      // eslint-disable-next-line @typescript-eslint/require-await -- the shape of a flow, of what is there already
      return openBlobStream(signal, async function* () {
        yield configBytes;
      });
    }
    const path = paths.get(descriptor.digest);
    if (path !== undefined) return await this.#files.openFile(path, options);
    throw new OperationalError(
      'IMAGE_NOT_FOUND',
      `there is no layer ${descriptor.digest} in ${quote(this.#files.place)}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]();
  }

  #open(signal: AbortSignal): Promise<OpenedImage> {
    this.#opened ??= this.#read(signal);
    return this.#opened;
  }

  async #read(signal: AbortSignal): Promise<OpenedImage> {
    const image = this.#choose(await this.#readManifestJson());
    const configBytes = await this.#files.readFile(image.config, MAX_IMAGE_CONFIG_BYTES);
    const diffIds = this.#parseDiffIds(configBytes);
    if (diffIds.length !== image.layers.length) {
      throw this.#invalid(
        `has ${image.layers.length} layers where its configuration names ${diffIds.length}`,
      );
    }
    const paths = new Map<Digest, string>();
    const layers: object[] = [];
    for (const [index, path] of image.layers.entries()) {
      signal.throwIfAborted();
      const layer = await this.#describeLayer(path, diffIds[index], signal);
      paths.set(layer.digest, path);
      layers.push(layer);
    }
    const configDigest = digestOf(configBytes);
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: DOCKER_MANIFEST,
        config: { mediaType: CONFIG_TYPE, size: configBytes.length, digest: configDigest },
        layers,
      }),
    );
    const manifest = { bytes, mediaType: DOCKER_MANIFEST, digest: digestOf(bytes) };
    return { manifest, configDigest, configBytes, paths };
  }

  /** A plain layer is what its diff id says; of a compressed one (docker 25 and later keep them so) the path has the digest. */
  async #describeLayer(
    path: string,
    diffId: Digest | undefined,
    signal: AbortSignal,
  ): Promise<{ mediaType: string; size: number; digest: Digest }> {
    if (diffId === undefined) throw new Error('internal error: more layers than diff ids');
    const { size, start } = await this.#files.probeFile(path, 2);
    if (start[0] !== 0x1f || start[1] !== 0x8b) {
      return { mediaType: PLAIN_LAYER_TYPE, size, digest: diffId };
    }
    const named = /^blobs\/(sha256|sha512)\/([0-9a-f]+)$/.exec(path);
    const digest =
      named === null
        ? await this.#hash(path, signal)
        : parseDigest(`${named[1] ?? ''}:${named[2] ?? ''}`);
    return { mediaType: GZIP_LAYER_TYPE, size, digest };
  }

  async #hash(path: string, signal: AbortSignal): Promise<Digest> {
    const hash = createHash('sha256');
    await using stream = await this.#files.openFile(path, { signal, lend: true });
    for await (const piece of stream) hash.update(piece);
    return parseDigest(`sha256:${hash.digest('hex')}`);
  }

  async #readManifestJson(): Promise<readonly SavedImage[]> {
    let bytes: Buffer;
    try {
      bytes = await this.#files.readFile('manifest.json', MAX_MANIFEST_BYTES);
    } catch (error) {
      if (!(error instanceof OperationalError) || error.code !== 'IMAGE_NOT_FOUND') throw error;
      throw new OperationalError(
        'IMAGE_NOT_FOUND',
        `there is no manifest.json in ${quote(this.#files.place)}: it is no archive of docker save, or one of before 2016`,
        { cause: error, hint: 'an OCI archive is named oci-archive:PATH' },
      );
    }
    const what = `manifest.json of ${quote(this.#files.place)}`;
    const list = parseStrictJson(bytes, { what, refuseCaseTwins: true });
    if (!Array.isArray(list)) throw this.#invalid('has a manifest.json that is no list');
    if (list.length > MAX_IMAGES) throw this.#invalid(`holds more than ${MAX_IMAGES} images`);
    return list.map((item: unknown, index) => {
      const fields = new JsonFields(item as ConstructorParameters<typeof JsonFields>[0], {
        what,
        path: `[${index}]`,
        code: 'MANIFEST_INVALID',
      });
      return {
        config: fields.string('Config'),
        names: fields.strings('RepoTags'),
        layers: fields.strings('Layers'),
      };
    });
  }

  #choose(images: readonly SavedImage[]): SavedImage {
    const { reference, index } = this.#choice;
    const place = quote(this.#files.place);
    if (index !== undefined) {
      const found = images[index];
      if (found !== undefined) return found;
      throw this.#notFound(`there is no image @${index} in ${place}`, images);
    }
    if (reference !== undefined) {
      const wanted = canonicalName(reference);
      const found = images.find(({ names }) =>
        names.some((name) => canonicalName(name) === wanted),
      );
      if (found !== undefined) return found;
      throw this.#notFound(`there is no image ${quote(reference)} in ${place}`, images);
    }
    const [only, ...others] = images;
    if (only === undefined) throw this.#notFound(`${place} holds no image`, images);
    if (others.length === 0) return only;
    throw this.#notFound(`${place} holds several images`, images);
  }

  #notFound(message: string, images: readonly SavedImage[]): OperationalError {
    const known = images
      .map(({ names }, index) => escapeText(names[0] ?? `@${index}`))
      .slice(0, 10);
    return new OperationalError('IMAGE_NOT_FOUND', message, {
      hint:
        known.length === 0
          ? undefined
          : `name one of them: ${known.map((name) => `docker-archive:${this.#files.place}:${name}`).join(', ')}`,
    });
  }

  #parseDiffIds(configBytes: Buffer): readonly Digest[] {
    const what = `the configuration in ${quote(this.#files.place)}`;
    const fields = JsonFields.parse(configBytes, { what, code: 'IMAGE_CONFIG_INVALID' });
    return fields
      .object('rootfs')
      .strings('diff_ids')
      .map((text) => parseDigest(text));
  }

  #invalid(problem: string): OperationalError {
    return new OperationalError('MANIFEST_INVALID', `${quote(this.#files.place)} ${problem}`);
  }
}

/** A name with registry and tag, as docker completes it; what is no name stays as it is. */
function canonicalName(text: string): string {
  try {
    const reference = qualifyReference(parseReference(text), DOCKER_HUB);
    return formatReference({ ...reference, tag: reference.tag ?? 'latest' });
  } catch (error) {
    if (error instanceof OperationalError) return text;
    throw error;
  }
}
