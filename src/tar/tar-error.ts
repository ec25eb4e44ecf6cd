import { OperationalError } from '../errors/operational-error.js';

/** The error for an archive that is not well formed; `offset` is where in it, in bytes from its start. */
export function archiveInvalid(problem: string, offset: number): OperationalError {
  return new OperationalError(
    'LAYER_ARCHIVE_INVALID',
    `the archive is malformed at byte ${offset}: ${problem}`,
  );
}

/** The error for an entry of a kind that is not taken. */
export function entryRefused(problem: string, offset: number): OperationalError {
  return new OperationalError(
    'LAYER_ENTRY_REFUSED',
    `refusing the entry at byte ${offset} of the archive: ${problem}`,
  );
}

/** The error for an archive that is larger than a limit. */
export function archiveLimit(what: string, limit: number): OperationalError {
  return new OperationalError(
    'LAYER_LIMIT_EXCEEDED',
    `the archive has more than ${limit} ${what}, refusing to read on`,
  );
}
