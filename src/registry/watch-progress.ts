import { HttpFailure } from './http-failure.js';

/** How long the wire may take for {@link MIN_WINDOW_BYTES}; waiting for the consumer does not count. */
const WINDOW_MS = 60_000;

/** Slowest acceptable flow in bytes per window: a modem brings a hundred times as much, a slow-loris less. */
const MIN_WINDOW_BYTES = 4096;

/**
 * Passes bytes on and gives up on a flow that trickles: idle time-outs alone are fooled by a byte now and then.
 *
 * @throws {@link HttpFailure} timeout
 */
export async function* watchProgress(
  chunks: AsyncIterable<Uint8Array>,
  limits: { readonly windowMs: number; readonly minBytes: number } = {
    windowMs: WINDOW_MS,
    minBytes: MIN_WINDOW_BYTES,
  },
): AsyncGenerator<Uint8Array, void, undefined> {
  let waitedMs = 0;
  let bytes = 0;
  let askedAt = performance.now();
  for await (const chunk of chunks) {
    waitedMs += performance.now() - askedAt;
    bytes += chunk.length;
    if (bytes >= limits.minBytes) {
      waitedMs = 0;
      bytes = 0;
    } else if (waitedMs > limits.windowMs) {
      throw new HttpFailure(
        'timeout',
        `fewer than ${limits.minBytes} bytes came in ${Math.round(limits.windowMs / 1000)} seconds`,
      );
    }
    yield chunk;
    askedAt = performance.now();
  }
}
