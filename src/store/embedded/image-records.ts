import { createHash } from 'node:crypto';
import { readdirSync, unlinkSync } from 'node:fs';

import { syncFolder } from '../../base/atomic-file.js';
import { readFileBounded } from '../../base/bounded-read.js';
import { quote } from '../../base/escape-text.js';
import { parseStrictJson, type JsonObject } from '../../base/strict-json.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import { digestAlgorithm, digestHex, parseDigest, type Digest } from '../../oci/digest.js';
import { MAX_IMAGE_CONFIG_BYTES, parseImageConfig } from '../../oci/parse-image-config.js';
import { MAX_MANIFEST_BYTES, parseManifest } from '../../oci/parse-manifest.js';
import { verifyBytes } from '../../oci/verify-content.js';
import type { NewImage, StoredImage } from '../image-store.js';
import type { StorePlace } from './store-place.js';
import { writeRecord } from '../write-record.js';

/** Format of the records of images and names. */
const FORMAT = 1;
/** Two documents in base64 and a little around them. */
const MAX_RECORD_BYTES = Math.ceil(((MAX_MANIFEST_BYTES + MAX_IMAGE_CONFIG_BYTES) * 4) / 3) + 4096;
/** A reference is at most some 500 bytes long. */
const MAX_NAME_RECORD_BYTES = 65_536;

/** The name of a digest's file: `sha256-HEX`. */
export function fileNameOf(digest: Digest): string {
  return `${digestAlgorithm(digest)}-${digestHex(digest)}`;
}

/** The digest that a file is named after; undefined for other files. */
export function digestOfFileName(name: string): Digest | undefined {
  try {
    return parseDigest(name.replace('-', ':'));
  } catch {
    return undefined; // not ours, such as a leftover of an interrupted write
  }
}

/** An image as its record has it; its names stand elsewhere. */
export type ImageRecord = Omit<StoredImage, 'names'>;

/** The records of images and of names, in `images/` and `names/`. */
export class ImageRecords {
  readonly #place: StorePlace;

  constructor(place: StorePlace) {
    this.#place = place;
  }

  /** Writes the record of an image; durable when it returns. An image that is there already keeps its record. */
  async write(image: NewImage, contentBytes: number): Promise<void> {
    if ((await this.readIfSound(image.digest)) !== undefined) return;
    const record = {
      format: FORMAT,
      digest: image.digest,
      storedAtMs: Date.now(),
      contentBytes,
      manifest: Buffer.from(image.manifestBytes).toString('base64'),
      config: Buffer.from(image.configBytes).toString('base64'),
    };
    await this.#put(this.#path(image.digest), JSON.stringify(record));
  }

  /**
   * The record of an image; undefined if there is none. Both documents are hashed and parsed again: what is damaged on the
   * disk is not believed.
   *
   * @throws `OperationalError` STORE_INVALID, STORE_FORMAT
   */
  async read(digest: Digest): Promise<ImageRecord | undefined> {
    const what = `the record of image ${digest}`;
    const record = await readRecord(this.#path(digest), { what, maxBytes: MAX_RECORD_BYTES });
    if (record === undefined) return undefined;
    try {
      const { storedAtMs, contentBytes } = record;
      const manifestBytes = Buffer.from(textOf(record, 'manifest'), 'base64');
      const configBytes = Buffer.from(textOf(record, 'config'), 'base64');
      verifyBytes(manifestBytes, { digest });
      const parsed = parseManifest(manifestBytes, { what: 'its manifest' });
      if (parsed.kind !== 'manifest') throw new RangeError('it holds an index');
      verifyBytes(configBytes, parsed.manifest.config);
      const config = parseImageConfig(configBytes, {
        what: 'its configuration',
        manifest: parsed.manifest,
      });
      if (typeof storedAtMs !== 'number' || typeof contentBytes !== 'number') {
        throw new RangeError('its numbers are missing');
      }
      return {
        storage: 'embedded',
        digest,
        manifest: parsed.manifest,
        config,
        configBytes,
        storedAtMs,
        contentBytes,
      };
    } catch (error) {
      throw recordDamaged(what, error);
    }
  }

  /** As {@link ImageRecords.read}, with a damaged one counting as none. */
  async readIfSound(digest: Digest): Promise<ImageRecord | undefined> {
    try {
      return await this.read(digest);
    } catch (error) {
      if (error instanceof OperationalError && error.code === 'STORE_INVALID') return undefined;
      throw error;
    }
  }

  /** Digests of all recorded images, sorted. */
  digests(): Digest[] {
    return namesIn(this.#place.path('images'))
      .map(digestOfFileName)
      .filter((digest) => digest !== undefined)
      .sort();
  }

  /** Removes the record of an image. */
  remove(digest: Digest): void {
    unlinkSync(this.#path(digest));
  }

  /** Makes a name mean an image; durable when it returns. */
  async writeName(name: string, digest: Digest): Promise<void> {
    const record = JSON.stringify({ format: FORMAT, name, digest });
    await this.#put(this.#namePath(name), record);
  }

  /** What a name means; undefined if nothing. @throws `OperationalError` STORE_INVALID, STORE_FORMAT */
  async readName(name: string): Promise<Digest | undefined> {
    const found = await this.#readNameFile(this.#namePath(name));
    return found?.name === name ? found.digest : undefined;
  }

  /** All names and what they mean, sorted by name. Damaged ones go to `onDamaged`. */
  async names(
    onDamaged: (file: string, error: unknown) => void,
  ): Promise<{ readonly name: string; readonly digest: Digest }[]> {
    const found: { readonly name: string; readonly digest: Digest }[] = [];
    for (const file of namesIn(this.#place.path('names'))) {
      if (!/^[0-9a-f]{64}$/.test(file)) continue;
      try {
        const entry = await this.#readNameFile(this.#place.path('names', file));
        if (entry !== undefined) found.push(entry);
      } catch (error) {
        onDamaged(file, error);
      }
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Removes a name; durable when it returns. */
  async removeName(name: string): Promise<void> {
    try {
      unlinkSync(this.#namePath(name));
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return;
      throw error;
    }
    await syncFolder(this.#place.path('names'));
  }

  async #readNameFile(
    path: string,
  ): Promise<{ readonly name: string; readonly digest: Digest } | undefined> {
    const what = `the record of a name, ${quote(path)},`;
    const record = await readRecord(path, { what, maxBytes: MAX_NAME_RECORD_BYTES });
    if (record === undefined) return undefined;
    try {
      return { name: textOf(record, 'name'), digest: parseDigest(textOf(record, 'digest')) };
    } catch (error) {
      throw recordDamaged(what, error);
    }
  }

  async #put(path: string, content: string): Promise<void> {
    await writeRecord({ tempPath: this.#place.path('tmp'), path, content });
  }

  #path(digest: Digest): string {
    return this.#place.path('images', fileNameOf(digest));
  }

  /** Names come from outside: their digest names the file, so that none of them is ever a path. */
  #namePath(name: string): string {
    return this.#place.path('names', createHash('sha256').update(name).digest('hex'));
  }
}

/** What is in a folder of the store; nothing if there is no store. */
export function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

async function readRecord(
  path: string,
  options: { readonly what: string; readonly maxBytes: number },
): Promise<JsonObject | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFileBounded(path, options);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  let record: JsonObject;
  try {
    const value = parseStrictJson(bytes, { what: options.what });
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      throw new RangeError('it is not an object');
    }
    record = value as JsonObject;
  } catch (error) {
    throw recordDamaged(options.what, error);
  }
  if (typeof record['format'] === 'number' && record['format'] > FORMAT) {
    throw new OperationalError(
      'STORE_FORMAT',
      `${options.what} has format ${record['format']}, which this berth does not know`,
      { hint: 'use the newer berth that wrote it' },
    );
  }
  return record;
}

function textOf(record: JsonObject, key: string): string {
  const value = record[key];
  if (typeof value !== 'string') throw new RangeError(`its ${key} is missing`);
  return value;
}

function recordDamaged(what: string, cause: unknown): OperationalError {
  return new OperationalError('STORE_INVALID', `${what} is damaged`, {
    hint: 'pull the image again',
    cause,
  });
}
