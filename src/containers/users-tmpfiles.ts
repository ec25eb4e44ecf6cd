import { OperationalError } from '../errors/operational-error.js';

/** Type and path of a line; the path may stand in quotes. */
const PATH_FIELD = /^\s*[^\s#]\S*\s+("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\S+)/;

/** Specifiers that a user's manager fills in with directories of the user's (tmpfiles.d(5), "Specifiers"). */
const OF_USERS = /%([tSCL])/;

/**
 * Refuses tmpfiles lines that name directories by specifiers: those of a user are other ones, by variables of the service manager
 * that berth does not know.
 *
 * @throws {@link OperationalError} TMPFILES_INVALID
 */
export function assertNoDirectorySpecifiers(text: string): void {
  for (const [index, line] of text.split('\n').entries()) {
    const path = PATH_FIELD.exec(line)?.[1]?.replaceAll('%%', '');
    const letter = OF_USERS.exec(path ?? '')?.[1];
    if (letter === undefined) continue;
    throw new OperationalError(
      'TMPFILES_INVALID',
      `tmpfiles line ${index + 1}: '%${letter}' is another directory in a user's service manager than in the system's`,
      { hint: "install it as root, without '--user'" },
    );
  }
}
