import { OperationalError } from '../errors/operational-error.js';

/**
 * Reads a flow of bytes to its end, at most `maxBytes + 1` of them.
 *
 * @throws {@link OperationalError} LIMIT_EXCEEDED
 */
export async function readBounded(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of chunks) {
    total += chunk.length;
    if (total > maxBytes) {
      throw new OperationalError('LIMIT_EXCEEDED', `the answer is larger than ${maxBytes} bytes`);
    }
    parts.push(chunk);
  }
  return Buffer.concat(parts, total);
}
