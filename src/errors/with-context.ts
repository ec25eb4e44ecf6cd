import { describeErrno } from './describe-errno.js';
import { firstError } from './first-error.js';
import { OperationalError } from './operational-error.js';

/**
 * Runs `body`; a failure that a user can meet, a failed system call too, comes out with `doing` in front ("cannot install 'etcd'"), under the same
 * code and hint and with the original as its cause. Bugs pass unchanged, so that their stack stays at the top.
 */
export async function withContext<T>(doing: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw addContext(doing, error);
  }
}

/** The value to throw for what was met while `doing`; see {@link withContext}. */
export function addContext(doing: string, thrown: unknown): unknown {
  const error = firstError(thrown);
  const known = error instanceof OperationalError ? error : describeErrno(error);
  return known === undefined
    ? error
    : new OperationalError(known.code, doing, { hint: known.hint, cause: error });
}
