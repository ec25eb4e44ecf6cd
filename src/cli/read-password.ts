import { OperationalError } from '../errors/operational-error.js';
import type { CliContext } from './context.js';

/** Longest password that is read, in bytes: tokens of clouds have some thousand. */
const MAX_PASSWORD_BYTES = 64 * 1024;

const ENTER = ['\n', '\r', '\u0004'];
const INTERRUPT = '\u0003';
const ERASE = ['\u007f', '\b'];

/**
 * Reads a password: from a pipe whole, without the end of its line, or from the terminal without showing it.
 *
 * @throws OperationalError USAGE if there is none, CANCELLED on Ctrl-C
 */
export async function readPassword(
  { host: { stdin, stderr }, signal }: CliContext,
  { prompt, fromInput }: { readonly prompt: string; readonly fromInput: boolean },
): Promise<string> {
  if (stdin === undefined || (!fromInput && !stdin.isTTY)) {
    throw new OperationalError('USAGE', 'there is no terminal to ask for the password on', {
      hint: 'give it on standard input, with --password-stdin',
    });
  }
  const password = fromInput
    ? await readAll(stdin, signal)
    : await readHidden(stdin, () => stderr.write(prompt));
  if (!fromInput) stderr.write('\n');
  if (password === '' || /[\r\n\0]/.test(password)) {
    throw new OperationalError('USAGE', 'the password is empty, or has more than one line');
  }
  return password;
}

async function readAll(stdin: NodeJS.ReadStream, signal: AbortSignal): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of stdin as AsyncIterable<Buffer>) {
    signal.throwIfAborted();
    bytes += part.length;
    if (bytes > MAX_PASSWORD_BYTES) {
      throw new OperationalError(
        'USAGE',
        `the password is longer than ${MAX_PASSWORD_BYTES} bytes`,
      );
    }
    parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

/** Asks once the terminal shows nothing any more: who answers quickly is not shown either. */
function readHidden(stdin: NodeJS.ReadStream, ask: () => void): Promise<string> {
  stdin.setRawMode(true);
  stdin.resume();
  ask();
  let typed = '';
  return new Promise<string>((resolve, reject) => {
    const onData = (data: Buffer): void => {
      for (const character of data.toString('utf8')) {
        if (character === INTERRUPT) {
          finish();
          reject(new OperationalError('CANCELLED', 'the login was interrupted'));
          return;
        }
        if (ENTER.includes(character)) {
          finish();
          resolve(typed);
          return;
        }
        typed = ERASE.includes(character) ? typed.slice(0, -1) : typed + character;
      }
    };
    const finish = (): void => {
      stdin.off('data', onData);
      stdin.setRawMode(false);
      stdin.pause();
    };
    stdin.on('data', onData);
  });
}
