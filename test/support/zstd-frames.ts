import { execFileSync } from 'node:child_process';

/** zstd data of one frame, as Debian's zstd makes it. */
export function zstd(content: Uint8Array, ...options: readonly string[]): Buffer {
  return execFileSync('zstd', ['--quiet', '--stdout', ...options], {
    input: content,
    maxBuffer: 1024 ** 3,
  });
}

/** A frame written by hand, of blocks that are not compressed (RFC 8878, section 3.1.1). */
export function rawFrame(
  blocks: readonly Uint8Array[],
  header: {
    /** Frame_Header_Descriptor; one without content size, checksum and dictionary unless given. */
    readonly descriptor?: number;
    /** Window_Descriptor, Dictionary_ID and Frame_Content_Size; a window of 1 MiB unless given. */
    readonly fields?: readonly number[];
    /** What follows the last block. */
    readonly checksum?: Uint8Array;
    /** Block_Type; raw unless given. */
    readonly type?: number;
  } = {},
): Buffer {
  const { descriptor = 0, fields = [10 << 3], checksum = Buffer.alloc(0), type = 0 } = header;
  const body = blocks.flatMap((block, index) => {
    const last = index === blocks.length - 1 ? 1 : 0;
    const blockHeader = Buffer.alloc(3);
    blockHeader.writeUIntLE((block.length << 3) | (type << 1) | last, 0, 3);
    return [blockHeader, block];
  });
  return Buffer.concat([
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor, ...fields]),
    ...body,
    checksum,
  ]);
}

/** A skippable frame (RFC 8878, section 3.1.2). */
export function skippableFrame(content: Uint8Array, kind = 0): Buffer {
  const header = Buffer.from([0x50 | kind, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, content]);
}
