import { firstError } from './first-error.js';
import { OperationalError } from './operational-error.js';

/**
 * Runs `body`; a failure that a user can meet comes out with `doing` in front ("cannot install 'etcd'"), under the same
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
  if (!(error instanceof OperationalError)) return error;
  return new OperationalError(error.code, doing, { hint: error.hint, cause: error });
}
