import { quote } from '../base/escape-text.js';
import { describeErrno } from '../errors/describe-errno.js';
import { firstError } from '../errors/first-error.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { isPrivileged } from './apply-meta.js';

/** The value to throw for what was met while writing below `place`: full disks, missing rights and read-only places by name. */
export function diskError(thrown: unknown, place: string): unknown {
  const error = firstError(thrown);
  if (isErrno(error, 'ENOSPC', 'EDQUOT')) {
    const what = error.code === 'EDQUOT' ? 'the quota is used up' : 'no space or no inodes left';
    return new OperationalError('DISK_FULL', `cannot write to ${quote(place)}: ${what}`, {
      hint: `df -h ${place} and df -i ${place} show what is left; 'berth images prune' frees what no image needs`,
      cause: error,
    });
  }
  if (isErrno(error, 'EACCES', 'EPERM') && !isPrivileged()) {
    return new OperationalError('NEEDS_ROOT', `no access to ${quote(place)}`, {
      hint: 'run berth as root',
      cause: error,
    });
  }
  if (isErrno(error, 'EROFS')) {
    return new OperationalError(
      'STORE_UNSUITABLE',
      `${quote(place)} is on a read-only file system`,
      {
        cause: error,
      },
    );
  }
  if (error instanceof OperationalError || !(error instanceof Error) || !('syscall' in error)) {
    return error;
  }
  return new OperationalError('SYSTEM_CALL_FAILED', `cannot use ${quote(place)}`, {
    hint: describeErrno(error)?.hint,
    cause: error,
  });
}

/** Runs `body`; failing system calls come out as {@link diskError}. */
export function onDisk<T>(place: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw diskError(error, place);
  }
}

/** As {@link onDisk}, for what takes its time. */
export async function onDiskAsync<T>(place: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw diskError(error, place);
  }
}
