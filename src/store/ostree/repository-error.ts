import {
  GVariantError,
  OstreeError,
  OstreeInputError,
  OstreeLibraryError,
} from '../../../ostree-adapter/index.js';
import { quote } from '../../base/escape-text.js';
import { OperationalError } from '../../errors/operational-error.js';
import { isPrivileged } from '../apply-meta.js';
import { diskError } from '../disk-error.js';

/** The value to throw for what was met while using the repository at `place`: libostree's failures and the kernel's. */
export function repositoryError(thrown: unknown, place: string): unknown {
  if (thrown instanceof OstreeLibraryError) {
    return new OperationalError('LIBRARY_MISSING', `no OSTree storage: ${thrown.message}`, {
      hint: 'apt install libostree-1-1, or --storage embedded',
      cause: thrown,
    });
  }
  if (thrown instanceof GVariantError || thrown instanceof OstreeInputError) {
    return new OperationalError(
      'STORE_INVALID',
      `the repository ${quote(place)} is damaged: ${thrown.message}`,
      { hint: 'ostree fsck says more', cause: thrown },
    );
  }
  if (!(thrown instanceof OstreeError)) return diskError(thrown, place);
  if (thrown.isNoSpace || /No space left|Disk quota exceeded/i.test(thrown.message)) {
    return new OperationalError('DISK_FULL', `cannot write to ${quote(place)}: ${thrown.message}`, {
      hint: `df -h ${place} shows what is left; berth images prune frees what no image needs`,
      cause: thrown,
    });
  }
  if (thrown.isCancelled) {
    return new OperationalError('CANCELLED', 'the operation was interrupted', { cause: thrown });
  }
  if (thrown.isPermissionDenied && !isPrivileged()) {
    return new OperationalError('NEEDS_ROOT', `no access to ${quote(place)}`, {
      hint: 'run berth as root',
      cause: thrown,
    });
  }
  if (thrown.message.includes('Read-only file system')) {
    return new OperationalError(
      'STORE_UNSUITABLE',
      `${quote(place)} is on a read-only file system`,
      { cause: thrown },
    );
  }
  return new OperationalError(
    'STORE_INVALID',
    `cannot use the repository ${quote(place)}: ${thrown.message}`,
    { hint: 'ostree fsck says whether it is damaged', cause: thrown },
  );
}

/** Runs `body`; failures come out as {@link repositoryError}. */
export function onRepository<T>(place: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw repositoryError(error, place);
  }
}

/** As {@link onRepository}, for what takes its time. */
export async function onRepositoryAsync<T>(place: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw repositoryError(error, place);
  }
}
