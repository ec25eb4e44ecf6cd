import { OperationalError } from '../errors/operational-error.js';

/** Longest line of a terminal in bytes (termios(3), "Canonical and noncanonical mode"). */
const MAX_LINE_BYTES = 4096;

/**
 * A line as the terminal gives it, edited and echoed by it; what is there of one where the input ends.
 *
 * @throws OperationalError CANCELLED on Ctrl-C, saying that `what` was interrupted
 */
export function readLine(
  stdin: NodeJS.ReadStream,
  { signal, what }: { readonly signal: AbortSignal; readonly what: string },
): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = Buffer.alloc(0);
    const finish = (end: () => void): void => {
      stdin.off('data', onData).off('end', onEnd).off('error', onEnd);
      signal.removeEventListener('abort', onAbort);
      stdin.pause();
      end();
    };
    const onData = (data: Buffer): void => {
      line = Buffer.concat([line, data]).subarray(0, MAX_LINE_BYTES);
      const isWhole = line.includes('\n') || line.length === MAX_LINE_BYTES;
      if (isWhole) onEnd();
    };
    const onEnd = (): void => {
      finish(() => {
        resolve(line.toString('utf8').split('\n', 1)[0] ?? '');
      });
    };
    const onAbort = (): void => {
      finish(() => {
        reject(new OperationalError('CANCELLED', `${what} was interrupted`));
      });
    };
    stdin.on('data', onData).on('end', onEnd).on('error', onEnd);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    // Paused where a line was read before.
    stdin.resume();
  });
}
