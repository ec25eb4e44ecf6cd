import { OperationalError } from '../errors/operational-error.js';
import type { CliContext } from './context.js';
import { readLine } from './read-line.js';

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
      hint: `'berth login -u NAME --password-stdin ${registry}'`,
    });
  }
  if (stdin?.isTTY !== true) {
    throw new OperationalError('USAGE', 'there is no terminal to ask for the user name on', {
      hint: `'berth login -u NAME --password-stdin ${registry}'`,
    });
  }
  stderr.write(`User name at ${registry}: `);
  return checked((await readLine(stdin, { signal, what: 'the login' })).trim());
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
