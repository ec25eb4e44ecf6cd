import { dirname } from 'node:path';

import { syncFolder } from '../base/atomic-file.js';
import { rename, rmdir, unlink } from '../base/quick-files.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import type { DeployedFile } from './deployment.js';
import { compareFile } from './file-state.js';

/** What removing the files of a deployment came to. */
export interface RemovedFiles {
  /** Files that the administrator changed: left where they are. */
  readonly kept: readonly string[];
  /** Units and the like that the administrator changed: renamed to `PATH.save`, because a unit without its container fails. */
  readonly saved: readonly string[];
}

/**
 * Takes the files of a deployment off the host, deepest first. Only what is still as berth put it is removed; folders go
 * only when they are empty. Paths in `shared` belong to another container too and stay. With `saveChanged`, a unit that
 * was changed is put aside; without it (an install taken back, which may never have placed it) it stays. May be repeated.
 */
export async function removeFiles(
  paths: HostPaths,
  files: readonly DeployedFile[],
  options: { readonly shared: ReadonlySet<string>; readonly saveChanged: boolean },
): Promise<RemovedFiles> {
  const kept: string[] = [];
  const saved: string[] = [];
  const touched = new Set<string>();
  for (const file of [...files].reverse()) {
    if (options.shared.has(file.path)) continue;
    const target = paths.onDisk(file.path);
    const state = await compareFile(target, file);
    if (state === 'missing') continue;
    if (file.kind === 'directory') {
      if (state === 'same' && (await removeEmptyFolder(target))) {
        touched.delete(target);
        touched.add(dirname(target));
      }
    } else if (state === 'same') {
      await unlink(target);
      touched.add(dirname(target));
    } else if (file.role === 'host-file' || !options.saveChanged) {
      kept.push(file.path);
    } else {
      await rename(target, `${target}.save`);
      saved.push(`${file.path}.save`);
      touched.add(dirname(target));
    }
  }
  for (const folder of touched) await syncFolder(folder);
  return { kept, saved };
}

async function removeEmptyFolder(target: string): Promise<boolean> {
  try {
    await rmdir(target);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true; // by another that is uninstalled at the same time
    if (isErrno(error, 'ENOTEMPTY', 'EEXIST', 'EBUSY')) return false;
    throw error;
  }
}
