import { quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';

/** A failure to write to a place that a user named, in words; anything else as it is. */
export function explainWriteError(place: string, error: unknown): unknown {
  if (isErrno(error, 'ENOSPC', 'EDQUOT', 'EFBIG')) {
    return new OperationalError('DISK_FULL', `no space is left in ${quote(place)}`, {
      cause: error,
      hint: 'free some space and run the command again: what is there whole is not copied again',
    });
  }
  if (isErrno(error, 'EROFS', 'EACCES', 'EPERM', 'ENOTDIR', 'EISDIR')) {
    return new OperationalError('DESTINATION_UNWRITABLE', `cannot write to ${quote(place)}`, {
      cause: error,
    });
  }
  return error;
}
