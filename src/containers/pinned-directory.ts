import { constants } from 'node:fs';
import { basename, dirname } from 'node:path/posix';

import { open, type QuickFile } from '../base/quick-files.js';

const OPEN_FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Runs `body` with a path to `relative` whose folders are pinned open: each was opened from the one above without
 * following links, beginning at `base`, so that what lies below `base` (an image's files) cannot lead outside. The last
 * part is not opened; `body` has to use O_NOFOLLOW.
 */
export async function withPinnedPath<T>(
  base: string,
  relative: string,
  body: (path: string) => Promise<T>,
): Promise<T> {
  let folder: QuickFile = await open(base, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const part of dirname(relative).split('/')) {
      if (part === '.' || part === '') continue;
      if (part === '..') throw new Error(`internal error: '..' in ${relative}`);
      const next = await open(`/proc/self/fd/${folder.fd}/${part}`, OPEN_FOLDER);
      await folder.close();
      folder = next;
    }
    return await body(`/proc/self/fd/${folder.fd}/${basename(relative)}`);
  } finally {
    await folder.close();
  }
}
