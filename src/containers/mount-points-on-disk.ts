import { closeSync, constants, fchmodSync, openSync } from 'node:fs';

import type { DirectoryNode, TreeNode } from '../layer/tree.js';
import { openDirectoryTree } from '../store/directory-tree.js';
import type { MountPoint } from '../store/image-store.js';
import { addMountPoints } from '../store/mount-points.js';
import { splitPath } from '../store/walk-tree.js';
import { mkdirAt, openAt, setTimeOf } from '../sys/at.js';
import { openInRoot } from '../sys/open-in-root.js';
import { syncFileSystemOf } from '../sys/sync.js';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Makes the mount points that a checkout lacks: empty, as a checkout has them from the beginning. Links are followed inside
 * the root; folders keep their times. What is there stays.
 *
 * @throws OperationalError LAYER_ENTRY_REFUSED if a file stands in the way; SYSTEM_CALL_FAILED
 */
export async function addMountPointsToRoot(
  pathOnDisk: string,
  mountPoints: readonly MountPoint[],
): Promise<void> {
  using tree = openDirectoryTree(pathOnDisk);
  const { root, created } = addMountPoints(tree.root, mountPoints);
  if (created.length === 0) return;
  const rootFd = openSync(pathOnDisk, DIRECTORY);
  try {
    for (const path of created)
      makeOne(rootFd, { path, node: find(root, path), before: tree.root });
  } finally {
    closeSync(rootFd);
  }
  await syncFileSystemOf(pathOnDisk);
}

interface Wanted {
  readonly path: string;
  readonly node: TreeNode | undefined;
  readonly before: DirectoryNode;
}

function makeOne(rootFd: number, { path, node, before }: Wanted): void {
  const { parent, name } = splitPath(path);
  const dirFd = openInRoot(rootFd, parent === '' ? '/' : parent, {
    flags: DIRECTORY,
    noSymlinks: true,
  });
  try {
    const at = { dirFd, name };
    if (node?.kind === 'directory') mkdirAt(at, 0o755);
    const flags = node?.kind === 'directory' ? DIRECTORY : NEW_FILE;
    const fd = openAt(at, flags, 0o644);
    try {
      fchmodSync(fd, node?.kind === 'directory' ? 0o755 : 0o644);
      setTimeOf(fd, { seconds: 0, nanoseconds: 0 });
    } finally {
      closeSync(fd);
    }
    const meta = (find(before, parent) ?? { meta: undefined }).meta;
    setTimeOf(dirFd, {
      seconds: meta?.mtimeSeconds ?? 0,
      nanoseconds: meta?.mtimeNanoseconds ?? 0,
    });
  } finally {
    closeSync(dirFd);
  }
}

function find(root: DirectoryNode, path: string): TreeNode | undefined {
  let node: TreeNode | undefined = root;
  for (const name of path.split('/').filter((part) => part !== ''))
    node = node?.kind === 'directory' ? node.entries.get(name) : undefined;
  return node;
}
