import { closeSync, constants, fsyncSync } from 'node:fs';

import type { NodeMeta } from '../../layer/tree.js';
import { openAt } from '../../sys/at.js';
import { copyContent } from '../../sys/copy-content.js';
import type { At } from '../../sys/libc.js';
import { renameAt } from '../../sys/rename.js';
import { applyMeta } from '../apply-meta.js';
import { TempArea } from '../temp-area.js';

/** What {@link renewObject} renews. */
export interface ObjectToRenew {
  readonly object: At;
  /** `tmp/` of the store. */
  readonly tempPath: string;
  readonly meta: NodeMeta;
}

/**
 * Puts a fresh inode in the place of an object that has as many links as its file system allows (65,000 on ext4). The
 * old one lives on in the checkouts that have it.
 */
export function renewObject({ object, tempPath, meta }: ObjectToRenew): void {
  using area = new TempArea(tempPath);
  const from = openAt(object, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const fresh = { dirFd: area.fd, name: 'object' };
    const to = openAt(fresh, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      copyContent(from, to);
      applyMeta(to, meta);
      fsyncSync(to);
    } finally {
      closeSync(to);
    }
    renameAt(fresh, object);
  } finally {
    closeSync(from);
  }
}
