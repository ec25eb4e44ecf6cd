import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { AT_FDCWD } from '../../src/sys/libc.js';
import { removeTreeAt } from '../../src/sys/remove-tree.js';

/** A fresh directory that is removed when the scope is left, whatever modes and depths stand in it. */
export class TempDir implements Disposable {
  readonly path: string;

  constructor(parent: string = tmpdir()) {
    this.path = mkdtempSync(join(parent, 'berth-test-'));
  }

  [Symbol.dispose](): void {
    removeTreeAt({ dirFd: AT_FDCWD, name: this.path });
  }
}
