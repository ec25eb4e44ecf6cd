import { OperationalError } from '../errors/operational-error.js';
import type { BoundedReadOptions } from './bounded-read.js';

/**
 * Reads standard input to its end.
 *
 * @throws {@link OperationalError} LIMIT_EXCEEDED if it is larger than `maxBytes`
 */
export async function readStandardInput(options: BoundedReadOptions): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of process.stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    total += bytes.length;
    if (total > options.maxBytes) {
      throw new OperationalError(
        'LIMIT_EXCEEDED',
        `standard input is larger than ${options.maxBytes} bytes, refusing to read it`,
      );
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks, total);
}
