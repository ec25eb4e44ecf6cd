import { BLOCK_BYTES } from './header.js';

/** Takes the bytes of an archive; resolves when more can come. */
export type ArchiveOutput = (bytes: Uint8Array) => Promise<void>;

/** Largest size that eleven octal digits hold; above it the field holds a binary number (GNU, star and libarchive read that). */
const MAX_OCTAL_SIZE = 0o77_777_777_777;

/** Bytes of the name field: longer ones stand in a PAX header. */
const MAX_NAME_BYTES = 100;

/**
 * Writes an archive of plain files, one after the other, all of them root's, readable by everyone and of 1970: the same
 * files make the same archive.
 */
export class ArchiveWriter {
  readonly #output: ArchiveOutput;

  constructor(output: ArchiveOutput) {
    this.#output = output;
  }

  /** Adds a file; its content must come to exactly `size` bytes. */
  async addFile(
    path: string,
    size: number,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    if (path.length > MAX_NAME_BYTES) {
      const record = paxRecord('path', path);
      await this.#output(header('PaxHeaders/file', record.length, 'x'));
      await this.#padded([record], record.length);
    }
    await this.#output(header(path.slice(0, MAX_NAME_BYTES), size, '0'));
    await this.#padded(content, size);
  }

  /** Ends the archive. */
  async end(): Promise<void> {
    await this.#output(Buffer.alloc(2 * BLOCK_BYTES));
  }

  async #padded(
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    size: number,
  ): Promise<void> {
    let written = 0;
    for await (const piece of content) {
      written += piece.length;
      if (written > size) break;
      await this.#output(piece);
    }
    if (written !== size) throw new Error('internal error: a file is not of its announced size');
    const rest = size % BLOCK_BYTES;
    if (rest > 0) await this.#output(Buffer.alloc(BLOCK_BYTES - rest));
  }
}

function header(name: string, size: number, flag: string): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(name, 0, 'utf8');
  block.write('0000644\0', 100, 'latin1');
  block.write('0000000\0', 108, 'latin1');
  block.write('0000000\0', 116, 'latin1');
  if (size <= MAX_OCTAL_SIZE) block.write(`${size.toString(8).padStart(11, '0')} `, 124, 'latin1');
  else {
    block.writeUInt8(0x80, 124);
    block.writeBigUInt64BE(BigInt(size), 128);
  }
  block.write('00000000000 ', 136, 'latin1');
  block.write('        ', 148, 'latin1');
  block.write(flag, 156, 'latin1');
  block.write('ustar\0' + '00', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** `LENGTH KEY=VALUE\n`, the length counting itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (String(length).length + rest !== length) length += 1;
  return Buffer.from(`${length} ${key}=${value}\n`);
}
