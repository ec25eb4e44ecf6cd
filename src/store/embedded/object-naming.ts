import { createHash, hash } from 'node:crypto';

import { isThere } from '../../sys/is-there.js';
import type { ObjectNaming } from '../object-writer.js';
import { objectName } from './object-name.js';

/** SHA-256 of nothing. */
export const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Objects are named after the digest of their content and what else an inode keeps; empty files are none. */
export function embeddedNaming(objectsFd: number): ObjectNaming {
  return {
    begin: () => createHash('sha256'),
    hash: (_, content) => hash('sha256', content, 'hex'),
    ofNothing: EMPTY_SHA256,
    nameOf: (contentSha256, meta) => objectName({ contentSha256, meta }),
    has: (name) => isThere({ dirFd: objectsFd, name }),
  };
}
