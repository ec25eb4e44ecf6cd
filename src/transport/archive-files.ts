import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import { addContext } from '../errors/with-context.js';
import { OperationalError } from '../errors/operational-error.js';
import { indexArchive, normaliseMemberPath, type ArchiveMember } from '../tar/index-archive.js';
import { openBlobStream } from './blob-stream.js';
import type { ImageFiles } from './image-files.js';
import type { BlobOptions, BlobStream } from './image-source.js';
import { readPieces } from './read-pieces.js';

/** Most links that are followed to one member; docker makes one. */
const MAX_LINKS = 8;

/** The members of a tar archive, read where they lie: nothing is unpacked, and content flows straight to who asked for it. */
export class ArchiveFiles implements ImageFiles {
  readonly place: string;
  readonly #openFile: () => Promise<FileHandle>;
  #opened: Promise<OpenArchive> | undefined;

  /** `open` gives the archive as a seekable file, which is closed by disposing of this. Called on first use. */
  constructor(place: string, open: () => Promise<FileHandle>) {
    this.place = place;
    this.#openFile = open;
  }

  async readFile(path: string, maxBytes: number): Promise<Buffer> {
    const { file, offset, size } = await this.#find(path);
    if (size > maxBytes) {
      throw new OperationalError(
        'LIMIT_EXCEEDED',
        `${quote(path)} in ${quote(this.place)} is larger than ${maxBytes} bytes, refusing to read it`,
      );
    }
    return await readPart(file, offset, size);
  }

  async openFile(
    path: string,
    { signal, lend }: Pick<BlobOptions, 'signal' | 'lend'>,
  ): Promise<BlobStream> {
    const { file, ...part } = await this.#find(path);
    return openBlobStream(signal, (stop) => readPieces(file, part, { signal: stop, lend }));
  }

  async probeFile(path: string, count: number): Promise<{ size: number; start: Buffer }> {
    const { file, offset, size } = await this.#find(path);
    return { size, start: await readPart(file, offset, Math.min(count, size)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    // What failed to open has been said to who opened it.
    const archive = await opened?.catch(() => undefined);
    await archive?.file.close();
  }

  async #find(path: string): Promise<FoundMember> {
    this.#opened ??= this.#open();
    const { file, members } = await this.#opened;
    let current = normaliseMemberPath(path);
    for (let links = 0; current !== undefined && links <= MAX_LINKS; links++) {
      const member = members.get(current);
      if (member === undefined) break;
      if (member.kind === 'file') return { file, ...member };
      if (member.kind === 'unusable') {
        throw new OperationalError(
          'CONTENT_MISMATCH',
          `${quote(path)} ${member.reason}, in ${quote(this.place)}`,
        );
      }
      const target =
        member.kind === 'hardlink' ? member.target : join(dirname(current), member.target);
      current = normaliseMemberPath(target);
    }
    throw new OperationalError(
      'IMAGE_NOT_FOUND',
      `there is no ${quote(path)} in ${quote(this.place)}`,
    );
  }

  async #open(): Promise<OpenArchive> {
    const file = await this.#openFile();
    try {
      return { file, members: await indexArchive(file) };
    } catch (error) {
      await file.close();
      throw addContext(`cannot read the archive ${quote(this.place)}`, error);
    }
  }
}

interface OpenArchive {
  readonly file: FileHandle;
  readonly members: ReadonlyMap<string, ArchiveMember>;
}

interface FoundMember {
  readonly file: FileHandle;
  readonly offset: number;
  readonly size: number;
}

async function readPart(file: FileHandle, offset: number, size: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(size);
  let total = 0;
  while (total < size) {
    const { bytesRead } = await file.read({
      buffer,
      offset: total,
      length: size - total,
      position: offset + total,
    });
    if (bytesRead === 0) break;
    total += bytesRead;
  }
  return buffer.subarray(0, total);
}
