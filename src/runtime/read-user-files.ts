import { closeSync, openSync } from 'node:fs';

import { readFileInRoot } from '../sys/open-in-root.js';
import type { UserFiles } from './image-user.js';

/** Longest /etc/passwd or /etc/group of an image that is looked at. */
const MAX_USER_FILE_BYTES = 1_048_576;

/** The files that name the users of a root; what is no plain file there is left out. */
export function readUserFiles(root: string): Required<UserFiles> {
  const fd = openSync(root, 'r');
  const read = (path: string): string | undefined => {
    try {
      return readFileInRoot(fd, path, { maxBytes: MAX_USER_FILE_BYTES }).toString('utf8');
    } catch {
      return undefined; // an image without users, or with something else in their place, has none to tell
    }
  };
  try {
    return { passwd: read('/etc/passwd'), group: read('/etc/group') };
  } finally {
    closeSync(fd);
  }
}
