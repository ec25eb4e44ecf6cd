import { closeSync, constants, writeSync } from 'node:fs';

import {
  createFileHash,
  encodeFileHeader,
  parseChecksum,
  type ObjectStream,
  type RegularFile,
} from '../../../ostree-adapter/index.js';
import { openAt, unlinkAt } from '../../sys/at.js';
import type { TempArea } from '../temp-area.js';

const NEW_FILE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
const NAME = 'spooled';

/** A file too large for memory, on the disk without a name until it has all come and its object can be made. */
export class SpooledFile implements Disposable {
  readonly #fd: number;
  readonly #hash;
  #bytes = 0;

  constructor(area: TempArea, header: RegularFile) {
    const at = { dirFd: area.fd, name: NAME };
    this.#hash = createFileHash(header);
    this.#fd = openAt(at, NEW_FILE, 0o600);
    try {
      unlinkAt(at);
      this.#append(encodeFileHeader(header));
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  write(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#append(chunk);
  }

  /** What there is to make an object of, once everything has come. */
  finish(): ObjectStream {
    return {
      checksum: parseChecksum(this.#hash.digest('hex')),
      fd: this.#fd,
      length: this.#bytes,
    };
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  /** By position, so that the descriptor stands at the beginning for who reads it. */
  #append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const written = writeSync(this.#fd, bytes, done, bytes.length - done, this.#bytes);
      done += written;
      this.#bytes += written;
    }
  }
}
