import { statSync } from 'node:fs';

import type { DeployedFile } from './deployment.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { encodeByteString } from '../layer/tree.js';
import {
  OPTIONAL_BIND_SOURCES,
  type MountPoint as LaunchMountPoint,
} from '../runtime/launch-plan.js';
import type { MountPoint } from '../store/image-store.js';

/**
 * The mount points that a checkout has to have. What is bound decides between folder and file; a source that is not there
 * yet will be made by tmpfiles lines, as a folder.
 */
export function resolveMountPoints(
  paths: HostPaths,
  wanted: readonly LaunchMountPoint[],
  brought: ReadonlyMap<string, DeployedFile['kind']>,
): readonly MountPoint[] {
  return wanted.map(({ path, kind, source }) => ({
    path: encodeByteString(path),
    kind: kind === 'like-source' ? kindOf(paths, source ?? '/', brought) : kind,
  }));
}

function kindOf(
  paths: HostPaths,
  source: string,
  brought: ReadonlyMap<string, DeployedFile['kind']>,
): MountPoint['kind'] {
  const kind = brought.get(source);
  if (kind !== undefined) return kind === 'directory' ? 'directory' : 'file';
  try {
    return statSync(paths.onDisk(source)).isDirectory() ? 'directory' : 'file';
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR'))
      return OPTIONAL_BIND_SOURCES.includes(source) ? 'file' : 'directory';
    throw error;
  }
}
