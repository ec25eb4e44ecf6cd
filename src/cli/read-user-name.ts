import { OperationalError } from '../errors/operational-error.js';
import type { CliContext } from './context.js';

/** Longest line of a terminal in bytes (termios(3), "Canonical and noncanonical mode"). */
const MAX_LINE_BYTES = 4096;

/** What is known of the account. */
export interface UserNameOptions {
  readonly registry: string;
  /** The name, where the command line gives it. */
  readonly username?: string | undefined;
  /** Whether standard input is the password: then there is nothing to ask on. */
  readonly passwordStdin?: boolean | undefined;
}

/**
 * The name of an account: that of the command line, or what is typed on the terminal.
 *
 * @throws OperationalError USAGE if there is none, or it cannot be one; CANCELLED on Ctrl-C
 */
export async function readUserName(
  { host: { stdin, stderr }, signal }: CliContext,
  { registry, username, passwordStdin }: UserNameOptions,
): Promise<string> {
  if (username !== undefined) return checked(username);
  if (passwordStdin === true) {
    throw new OperationalError('USAGE', 'with --password-stdin the name of the account is needed', {
      hint: `berth login -u NAME --password-stdin ${registry}`,
    });
  }
  if (stdin?.isTTY !== true) {
    throw new OperationalError('USAGE', 'there is no terminal to ask for the user name on', {
      hint: `berth login -u NAME --password-stdin ${registry}`,
    });
  }
  stderr.write(`User name at ${registry}: `);
  return checked((await readLine(stdin, signal)).trim());
}

/** The colon ends a name in what is sent (RFC 7617, section 2). */
function checked(name: string): string {
  if (name !== '' && !/[:\u0000-\u001f\u007f]/.test(name)) return name;
  throw new OperationalError(
    'USAGE',
    name === ''
      ? 'no user name was given'
      : 'a user name has no colon and no control characters in it',
  );
}

/** A line as the terminal gives it, edited and echoed by it. */
function readLine(stdin: NodeJS.ReadStream, signal: AbortSignal): Promise<string> {
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
        reject(new OperationalError('CANCELLED', 'the login was interrupted'));
      });
    };
    stdin.on('data', onData).on('end', onEnd).on('error', onEnd);
    signal.addEventListener('abort', onAbort);
  });
}
