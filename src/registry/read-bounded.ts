import { OperationalError } from '../errors/operational-error.js';
import { watchProgress } from './watch-progress.js';

/**
 * Reads an answer to its end, at most `maxBytes + 1` of it.
 *
 * @throws {@link OperationalError} LIMIT_EXCEEDED; HttpFailure, also where it only trickles
 */
export async function readBounded(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of watchProgress(chunks)) {
    total += chunk.length;
    if (total > maxBytes) {
      throw new OperationalError('LIMIT_EXCEEDED', `the answer is larger than ${maxBytes} bytes`);
    }
    parts.push(chunk);
  }
  return Buffer.concat(parts, total);
}
