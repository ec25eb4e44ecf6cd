import { quote } from '../base/escape-text.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { describeErrno } from '../errors/describe-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { addContext } from '../errors/with-context.js';
import { MAX_SIGNATURES } from './signature-blob.js';

/** What is wrong with what was read, not with reading it. */
const PASSED_ON: readonly ErrorCode[] = ['LIMIT_EXCEEDED', 'SIGNATURE_INVALID', 'JSON_INVALID'];

/**
 * Reads signatures. What keeps them from being read is an error of its own: whoever sees it may try again, and must not go on.
 *
 * @throws OperationalError SIGNATURE_UNAVAILABLE; those of {@link PASSED_ON}
 */
export async function unlessAway<T>(from: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const doing = `cannot read the signatures at ${quote(from)}`;
    const known = error instanceof OperationalError ? error : describeErrno(error);
    if (known === undefined || known.code === 'CANCELLED') throw error;
    if (PASSED_ON.includes(known.code)) throw addContext(doing, error);
    throw new OperationalError('SIGNATURE_UNAVAILABLE', doing, { cause: known });
  }
}

/** There are more signatures at a place than anybody reads. */
export function tooMany(from: string): OperationalError {
  return new OperationalError(
    'LIMIT_EXCEEDED',
    `there are more than ${MAX_SIGNATURES} signatures at ${quote(from)}, refusing to read them`,
  );
}
