import { mkdirSync } from 'node:fs';

import {
  createFileHash,
  hasObject,
  OstreeInputError,
  parseChecksum,
  type RegularFile,
  type Repo,
} from '../../../ostree-adapter/index.js';
import type { FileNode, NodeMeta } from '../../layer/tree.js';
import { syncFileSystemOf } from '../../sys/sync.js';
import { isPrivileged } from '../apply-meta.js';
import type { ComingFile } from '../layer-collector.js';
import { ObjectWriter, type ObjectNaming } from '../object-writer.js';
import { TempArea } from '../temp-area.js';
import type { RepositoryObjectWriter } from './library-object-writer.js';
import type { RepositoryPlace } from './repository-place.js';
import { assertCanSeal } from './sealing.js';
import { xattrsOf } from './write-layer-tree.js';

/**
 * Whether files become content objects without libostree: in a `bare` repository an object is the very file, with owner, mode
 * and attributes, of the epoch. Where libostree does more than write and seal it, it does it all.
 */
export function writesBareObjects(place: RepositoryPlace): boolean {
  if (place.mode !== 'bare' || !isPrivileged()) return false;
  return !place.integrity.asksForMore;
}

/**
 * Takes in the content of files and writes the objects of a `bare` repository itself, beside: hashed once, by OpenSSL, and
 * never kept in memory. They get their names all at once, when their content is durable.
 */
export class BareObjectWriter implements RepositoryObjectWriter {
  readonly #root: string;
  readonly #area: TempArea;
  readonly #writer: ObjectWriter;

  /** `replace` names objects that are there and damaged. */
  constructor(place: RepositoryPlace, options: { repo: Repo; replace: Iterable<string> }) {
    this.#root = place.root;
    this.#area = openArea(place);
    this.#writer = new ObjectWriter({
      naming: bareNaming(options.repo),
      makeWay: wayMaker(place),
      objectsFd: place.objectsFd,
      tempFd: this.#area.fd,
      tempPath: this.#area.path,
      replace: new Set([...options.replace].map(nameOf)),
      sealing: place.sealing,
    });
  }

  begin(file: ComingFile): void {
    this.#writer.begin(file);
  }

  write(chunk: Uint8Array): void {
    this.#writer.write(chunk);
  }

  end(): FileNode {
    return this.#writer.end();
  }

  ready(): undefined {
    this.#writer.ready();
  }

  drain(): Promise<void> {
    return this.#writer.drain();
  }

  async publish(): Promise<void> {
    await syncFileSystemOf(this.#root);
    this.#writer.publish();
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects and does not throw
  async [Symbol.asyncDispose](): Promise<void> {
    this.#writer.close();
    this.#area[Symbol.dispose]();
  }
}

/** A folder to write in, where files can be sealed if they are to be. */
function openArea(place: RepositoryPlace): TempArea {
  const area = new TempArea(place.tempPath);
  try {
    if (place.sealing === 'yes') assertCanSeal(area.fd, place.root);
    return area;
  } catch (error) {
    area[Symbol.dispose]();
    throw error;
  }
}

/** Objects are named after metadata and content together, empty files too. */
function bareNaming(repo: Repo): ObjectNaming {
  return {
    begin: (meta) => createFileHash(headerOf(meta)),
    hash: (meta, content) => createFileHash(headerOf(meta)).update(content).digest('hex'),
    nameOf,
    // A parent repository may have it.
    has: (name) => hasObject(repo, { type: 'file', checksum: parseChecksum(checksumOf(name)) }),
  };
}

/** Makes the folder of an object. */
function wayMaker(place: RepositoryPlace): (name: string) => void {
  const folders = new Set<string>();
  return (name) => {
    const folder = name.slice(0, 2);
    if (folders.has(folder)) return;
    mkdirSync(place.path('objects', folder), { recursive: true, mode: 0o775 });
    folders.add(folder);
  };
}

function nameOf(checksum: string): string {
  return `${checksum.slice(0, 2)}/${checksum.slice(2)}.file`;
}

function checksumOf(name: string): string {
  return name.slice(0, 2) + name.slice(3, -'.file'.length);
}

function headerOf(meta: NodeMeta): RegularFile {
  // libostree passes over such attributes when it reads the file, and would find the object damaged.
  if (meta.xattrs.some(({ value }) => value.length === 0)) {
    throw new OstreeInputError('a bare repository cannot keep extended attributes without a value');
  }
  const { mode, uid, gid } = meta;
  return { kind: 'file', mode, uid, gid, xattrs: xattrsOf(meta) };
}
