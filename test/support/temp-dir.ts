import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { AT_FDCWD } from '../../src/sys/libc.js';
import { removeTreeAt } from '../../src/sys/remove-tree.js';

/** Where syncing costs nothing. */
const IN_MEMORY = '/dev/shm';

/** A fresh directory that is removed when the scope is left, whatever modes and depths stand in it. */
export class TempDir implements Disposable {
  readonly path: string;

  constructor(parent: string = existsSync(IN_MEMORY) ? IN_MEMORY : tmpdir()) {
    this.path = mkdtempSync(join(parent, 'berth-test-'));
  }

  [Symbol.dispose](): void {
    removeTreeAt({ dirFd: AT_FDCWD, name: this.path });
  }
}
