import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { read } from 'node:fs';
import { promisify } from 'node:util';

import { escapeText } from '../../base/escape-text.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { Digest } from '../../oci/digest.js';
import { listXattrs } from '../../sys/xattrs.js';
import type { FsckProblem, FsckReport } from '../image-store.js';
import { diskMeta, isPrivileged } from '../apply-meta.js';
import { namesIn, type ImageRecords } from './image-records.js';
import type { LayerRecords } from './layer-records.js';
import {
  OBJECT_FOLDERS,
  parseObjectName,
  xattrsDigest,
  type ParsedObjectName,
} from './object-name.js';
import { objectsOf } from './objects-of.js';
import type { StorePlace } from './store-place.js';

const readInPool = promisify(read);

/** What {@link fsck} looks at. The caller holds the store, so that nothing is removed meanwhile. */
export interface FsckScope {
  readonly place: StorePlace;
  readonly images: ImageRecords;
  readonly layers: LayerRecords;
  readonly signal: AbortSignal | undefined;
  /** Only what these images need. */
  readonly only: ReadonlySet<Digest> | undefined;
}

/** Reads everything again and compares it with what it is named after. */
export async function fsck(scope: FsckScope): Promise<FsckReport> {
  const checker = new Checker(scope);
  // Top down, so that it is known which objects count; what is damaged is told from the bottom up.
  const images = await checker.images();
  const layers = await checker.layers();
  const objects = await checker.objects();
  return { checkedObjects: checker.checkedObjects, problems: [...objects, ...layers, ...images] };
}

/** Read at once while hashing. */
const PIECE_BYTES = 1024 * 1024;

class Checker {
  checkedObjects = 0;
  readonly #scope: FsckScope;
  /** Layers that count, as far as images were read. */
  readonly #wantedLayers = new Set<Digest>();
  /** Objects of the layers that count, and which layers have them. */
  readonly #layersOf = new Map<string, Digest[]>();
  readonly #present = new Set<string>();
  readonly #buffer = Buffer.allocUnsafe(PIECE_BYTES);

  constructor(scope: FsckScope) {
    this.#scope = scope;
  }

  async images(): Promise<FsckProblem[]> {
    const { images, layers, only } = this.#scope;
    const problems: FsckProblem[] = [];
    // Names first: another berth may bring images in meanwhile, and an image is there before its name.
    const damagedNames: FsckProblem[] = [];
    const names = await images.names((file, error) => {
      const problem = messageOf(error);
      damagedNames.push({ kind: 'name', id: file, problem, layers: [], names: [] });
    });
    const known = new Set(images.digests());
    const soundLayers = new Map<Digest, boolean>();
    for (const digest of known) {
      if (only?.has(digest) === false) continue;
      this.#throwIfCancelled();
      try {
        const image = await images.read(digest);
        for (const diffId of image?.config.diffIds ?? []) {
          this.#wantedLayers.add(diffId);
          const isSound =
            soundLayers.get(diffId) ?? (await layers.has(diffId, { takenOver: true }));
          soundLayers.set(diffId, isSound);
          if (isSound) continue;
          const problem = `layer ${diffId} is missing or damaged`;
          problems.push({ kind: 'image', id: digest, problem, layers: [diffId], names: [] });
        }
      } catch (error) {
        problems.push({
          kind: 'image',
          id: digest,
          problem: messageOf(error),
          layers: [],
          names: [],
        });
      }
    }
    if (only === undefined) problems.push(...damagedNames);
    for (const { name, digest } of names) {
      if (only !== undefined || known.has(digest)) continue;
      const problem = `the name ${escapeText(name)} means an image that is missing`;
      problems.push({ kind: 'image', id: digest, problem, layers: [], names: [name] });
    }
    const namesOf = (digest: string): string[] =>
      names.filter((entry) => entry.digest === digest).map(({ name }) => name);
    return problems.map((one) =>
      one.kind === 'image' && one.names.length === 0 ? { ...one, names: namesOf(one.id) } : one,
    );
  }

  async layers(): Promise<FsckProblem[]> {
    const { layers, only } = this.#scope;
    const problems: FsckProblem[] = [];
    for (const diffId of layers.diffIds()) {
      if (only !== undefined && !this.#wantedLayers.has(diffId)) continue;
      this.#throwIfCancelled();
      try {
        for (const name of objectsOf(await layers.read(diffId)).keys()) {
          const known = this.#layersOf.get(name);
          if (known === undefined) this.#layersOf.set(name, [diffId]);
          else known.push(diffId);
        }
      } catch (error) {
        problems.push({
          kind: 'layer',
          id: diffId,
          problem: messageOf(error),
          layers: [diffId],
          names: [],
        });
      }
    }
    return problems;
  }

  async objects(): Promise<FsckProblem[]> {
    const problems: FsckProblem[] = [];
    for (const folder of OBJECT_FOLDERS) {
      for (const name of namesIn(this.#scope.place.path('objects', folder))) {
        const id = `${folder}/${name}`;
        const layers = this.#layersOf.get(id);
        this.#present.add(id);
        if (this.#scope.only !== undefined && layers === undefined) continue;
        this.#throwIfCancelled();
        const problem = await this.#objectProblem(folder, name);
        this.checkedObjects += 1;
        if (problem !== undefined)
          problems.push({ kind: 'object', id, problem, layers: layers ?? [], names: [] });
      }
    }
    for (const [name, layers] of this.#layersOf) {
      if (this.#present.has(name)) continue;
      for (const diffId of layers) {
        const problem = `object ${name} is missing`;
        problems.push({ kind: 'layer', id: diffId, problem, layers: [diffId], names: [] });
      }
    }
    return problems;
  }

  async #objectProblem(folder: string, name: string): Promise<string | undefined> {
    const expected = parseObjectName(folder, name);
    if (expected === undefined) return 'this is not the name of an object';
    let fd: number;
    try {
      fd = openSync(
        this.#scope.place.path('objects', folder, name),
        constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      );
    } catch (error) {
      return `it cannot be opened: ${messageOf(error)}`;
    }
    try {
      return metaProblem(fd, expected) ?? (await this.#contentProblem(fd, expected));
    } catch (error) {
      return `it cannot be read: ${messageOf(error)}`;
    } finally {
      closeSync(fd);
    }
  }

  async #contentProblem(fd: number, expected: ParsedObjectName): Promise<string | undefined> {
    const hash = createHash('sha256');
    for (;;) {
      const { bytesRead } = await readInPool(fd, this.#buffer, 0, PIECE_BYTES, null);
      if (bytesRead === 0) break;
      hash.update(this.#buffer.subarray(0, bytesRead));
    }
    const actual = hash.digest('hex');
    return actual === expected.contentSha256 ? undefined : `its content has the digest ${actual}`;
  }

  #throwIfCancelled(): void {
    if (this.#scope.signal?.aborted === true) {
      throw new OperationalError('CANCELLED', 'checking the store was interrupted');
    }
  }
}

/** Whoever changes a file of a checkout as root changes the object: mode, owner and time tell as much as the content. */
function metaProblem(fd: number, expected: ParsedObjectName): string | undefined {
  const found = fstatSync(fd, { bigint: true });
  if (!found.isFile()) return 'it is not a regular file';
  const mode = Number(found.mode) & 0o7777;
  if (mode !== diskMeta().modeOf('file', expected.mode)) return `its mode is ${mode.toString(8)}`;
  const time = BigInt(expected.mtimeSeconds) * 1_000_000_000n + BigInt(expected.mtimeNanoseconds);
  if (found.mtimeNs !== time) return 'its time of modification has changed';
  if (!isPrivileged()) return undefined;
  if (Number(found.uid) !== expected.uid || Number(found.gid) !== expected.gid) {
    return `its owner is ${found.uid}:${found.gid}`;
  }
  const kept = listXattrs(fd).filter(({ name }) => isOurs(name));
  const digest = kept.length === 0 ? undefined : xattrsDigest({ xattrs: kept });
  return digest === expected.xattrs ? undefined : 'its extended attributes have changed';
}

/** Attributes that come from images; the host adds its own (SELinux, IMA). */
function isOurs(name: string): boolean {
  return name === 'security.capability' || /^(user|trusted)\./.test(name);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
