import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { readdir, unlink } from '../base/quick-files.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { findOutside } from './inside-tree.js';

/**
 * Removes what systemd notes of timers with `Persistent=` (systemd.timer(5)): when they elapsed last. A container that is installed
 * anew would else run at once for a time when it was not there.
 */
export async function removeTimerStamps(paths: HostPaths, units: readonly string[]): Promise<void> {
  const timers = units.filter((unit) => unit.endsWith('.timer'));
  const folder = paths.onDisk(stampFolder(paths));
  if (timers.length === 0 || !existsSync(folder)) return;
  // By an absolute link of the tree of `--root` it would be that of the machine that builds the tree.
  if ((await findOutside(paths, stampFolder(paths))) !== undefined) return;
  for (const file of await readdir(folder)) {
    if (!timers.some((timer) => isStampOf(file, timer))) continue;
    try {
      await unlink(join(folder, file));
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }
}

function stampFolder({ mode, userEnvironment }: HostPaths): string {
  if (mode === 'system') return '/var/lib/systemd/timers';
  const data =
    userEnvironment['XDG_DATA_HOME'] ?? join(userEnvironment['HOME'] ?? '/', '.local/share');
  return join(data, 'systemd/timers');
}

/** Of a template those of all its instances. */
function isStampOf(file: string, timer: string): boolean {
  const [before = '', after] = `stamp-${timer}`.split('@.');
  if (after === undefined) return file === before;
  return file.startsWith(`${before}@`) && file.endsWith(`.${after}`);
}
