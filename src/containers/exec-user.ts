import { readFileSync } from 'node:fs';

import { OperationalError } from '../errors/operational-error.js';
import { resolveImageUser, type ImageUser, type UserFiles } from '../runtime/image-user.js';

/**
 * A user of a container by what somebody typed: `UID[:GID]`, or names of the container's own passwd and group files.
 *
 * @throws OperationalError USAGE where there is no such user
 */
export function resolveExecUser(text: string, files: UserFiles): ImageUser {
  try {
    return resolveImageUser(text, files);
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    throw new OperationalError('USAGE', error.message);
  }
}

/**
 * Whether a running container can have a user at all: in a user namespace are those that are mapped. `directory` is the one of a
 * process in /proc.
 *
 * @throws OperationalError USAGE
 */
export function assertMapped(directory: string, { uid, gid, groups }: ImageUser): void {
  for (const [file, what, ids] of [
    ['uid_map', 'user', [uid]],
    ['gid_map', 'group', [gid, ...groups]],
  ] as const) {
    const ranges = readFileSync(`${directory}/${file}`, 'utf8').split('\n').map(parseRange);
    const missing = ids.find(
      (id) => !ranges.some(({ first, size }) => first <= id && id < first + size),
    );
    if (missing !== undefined)
      throw new OperationalError(
        'USAGE',
        `the user namespace of the container has no ${what} ${missing}`,
      );
  }
}

/** user_namespaces(7), "User and group ID mappings": first inside, first outside, length. */
function parseRange(line: string): { readonly first: number; readonly size: number } {
  const [first = 0, , size = 0] = line.trim().split(/\s+/).map(Number);
  return { first, size };
}
