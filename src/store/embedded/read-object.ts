import { closeSync, constants, readSync } from 'node:fs';

import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { FileNode } from '../../layer/tree.js';
import { digestOf } from '../../oci/digest.js';
import { openAt } from '../../sys/at.js';
import { objectName } from './object-name.js';

/**
 * The content of a file of an image, hashed again.
 *
 * @throws `OperationalError` LIMIT_EXCEEDED, STORE_INVALID
 */
export function readObject(objectsFd: number, node: FileNode, maxBytes: number): Buffer {
  if (node.size > maxBytes) {
    throw new OperationalError(
      'LIMIT_EXCEEDED',
      `a file of the image has ${node.size} bytes, refusing to read more than ${maxBytes}`,
    );
  }
  const content = node.size === 0 ? Buffer.alloc(0) : readAll(objectsFd, node);
  if (digestOf(content) !== `sha256:${node.contentSha256}`) {
    throw damaged(node, 'its content has changed');
  }
  return content;
}

function readAll(objectsFd: number, node: FileNode): Buffer {
  let fd: number;
  try {
    fd = openAt(
      { dirFd: objectsFd, name: objectName(node) },
      constants.O_RDONLY | constants.O_NOFOLLOW,
    );
  } catch (error) {
    if (isErrno(error, 'ENOENT')) throw damaged(node, 'it is missing');
    throw error;
  }
  try {
    const content = Buffer.allocUnsafe(node.size);
    let length = 0;
    while (length < content.length) {
      const count = readSync(fd, content, length, content.length - length, null);
      if (count === 0) break;
      length += count;
    }
    return content.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

function damaged(node: FileNode, why: string): OperationalError {
  return new OperationalError(
    'STORE_INVALID',
    `object ${node.contentSha256} of the store is damaged: ${why}`,
    { hint: 'pull the image again' },
  );
}
