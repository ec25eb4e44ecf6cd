import { basename, dirname, join } from 'node:path';

import { finalNameOf } from '../base/atomic-file.js';
import { unlink } from '../base/quick-files.js';
import { listFolder } from './list-folder.js';

/**
 * Removes the temporary files that a killed command left beside files it was about to put in place. Call with the lock of
 * the container that the files are of held: nobody else is writing them then.
 */
export async function removeTemporaries(targets: readonly string[]): Promise<void> {
  const wanted = new Map<string, Set<string>>();
  for (const target of targets) {
    const names = wanted.get(dirname(target)) ?? new Set();
    wanted.set(dirname(target), names.add(basename(target)));
  }
  for (const [folder, names] of wanted) {
    for (const entry of await listFolder(folder)) {
      const final = finalNameOf(entry);
      if (final !== undefined && names.has(final)) await unlink(join(folder, entry));
    }
  }
}
