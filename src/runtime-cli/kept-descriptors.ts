import { fstatSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';

/** Most descriptors that are passed on: a process may have 1024 by default, and the launcher needs some. */
const MAX_KEPT = 512;

/**
 * The descriptors that a program gets beside the standard ones: those of socket activation (`LISTEN_FDS`), then those of
 * `--preserve-fds`, all from 3 on.
 *
 * @throws {@link OperationalError} USAGE if one of them is not open
 */
export function keptDescriptors(
  env: Readonly<Record<string, string | undefined>>,
  preserve: number,
): readonly number[] {
  const count = listenCount(env) + preserve;
  if (count > MAX_KEPT) {
    throw new OperationalError('USAGE', `refusing to pass on more than ${MAX_KEPT} descriptors`);
  }
  return Array.from({ length: count }, (_, index) => {
    const fd = 3 + index;
    try {
      fstatSync(fd);
    } catch (error) {
      if (!isErrno(error, 'EBADF')) throw error;
      throw new OperationalError(
        'USAGE',
        `the descriptor ${fd} that is to be passed on is not open`,
      );
    }
    return fd;
  });
}

/** What the launcher passes on of the environment. */
export function listenEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): NodeJS.ProcessEnv {
  if (listenCount(env) === 0) return {};
  const names = env['LISTEN_FDNAMES'];
  return {
    LISTEN_FDS: env['LISTEN_FDS'],
    ...(names === undefined ? {} : { LISTEN_FDNAMES: names }),
  };
}

function listenCount(env: Readonly<Record<string, string | undefined>>): number {
  const text = env['LISTEN_FDS'] ?? '';
  return /^\d{1,3}$/.test(text) ? Number(text) : 0;
}
