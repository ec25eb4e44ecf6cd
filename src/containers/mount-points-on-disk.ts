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
const FOLDER_MODE = 0o755;
const FILE_MODE = 0o644;

/**
 * Makes the mount points that a checkout lacks: empty, as a checkout has them from the beginning. Links are followed inside
 * the root; folders keep their times. What is there stays; but where the tree of the image is known, what was made by a
 * command that was killed over it gets the modes and times that it would have.
 *
 * @throws OperationalError LAYER_ENTRY_REFUSED if a file stands in the way; SYSTEM_CALL_FAILED
 */
export async function addMountPointsToRoot(
  pathOnDisk: string,
  mountPoints: readonly MountPoint[],
  image?: DirectoryNode,
): Promise<void> {
  using tree = openDirectoryTree(pathOnDisk);
  const { root, created } = addMountPoints(tree.root, mountPoints);
  const wanted = image === undefined ? undefined : addMountPoints(image, mountPoints);
  const paths = [...new Set([...(wanted?.created ?? []), ...created])].map((path): Wanted => {
    const { parent } = splitPath(path);
    return {
      path,
      isThere: !created.includes(path),
      node: find(root, path),
      folder: (wanted && find(wanted.root, parent)) ?? find(tree.root, parent),
    };
  });
  const changes = paths.filter((each) => !each.isThere || !isAsMade(tree.root, each));
  if (changes.length === 0) return;
  const rootFd = openSync(pathOnDisk, DIRECTORY);
  try {
    for (const change of changes) makeOne(rootFd, change);
  } finally {
    closeSync(rootFd);
  }
  await syncFileSystemOf(pathOnDisk);
}

interface Wanted {
  readonly path: string;
  readonly isThere: boolean;
  readonly node: TreeNode | undefined;
  /** The folder that it is in, as it is to be afterwards. */
  readonly folder: TreeNode | undefined;
}

/** Whether nothing is to be done about what is there: somebody's own file is nothing of ours. */
function isAsMade(onDisk: DirectoryNode, { path, node, folder }: Wanted): boolean {
  const isOurs = node?.kind === 'directory' || (node?.kind === 'file' && node.size === 0);
  if (!isOurs) return true;
  const { mode } = node.meta;
  const { parent } = splitPath(path);
  return (
    mode === (node.kind === 'directory' ? FOLDER_MODE : FILE_MODE) &&
    hasTime(node, 0, 0) &&
    hasTime(
      find(onDisk, parent),
      folder?.meta.mtimeSeconds ?? 0,
      folder?.meta.mtimeNanoseconds ?? 0,
    )
  );
}

function hasTime(node: TreeNode | undefined, seconds: number, nanoseconds: number): boolean {
  return node?.meta.mtimeSeconds === seconds && node.meta.mtimeNanoseconds === nanoseconds;
}

function makeOne(rootFd: number, { path, isThere, node, folder }: Wanted): void {
  const { parent, name } = splitPath(path);
  const dirFd = openInRoot(rootFd, parent === '' ? '/' : parent, {
    flags: DIRECTORY,
    noSymlinks: true,
  });
  try {
    const at = { dirFd, name };
    const isFolder = node?.kind === 'directory';
    if (isFolder && !isThere) mkdirAt(at, FOLDER_MODE);
    const file = isThere ? constants.O_RDONLY | constants.O_NOFOLLOW : NEW_FILE;
    const fd = openAt(at, isFolder ? DIRECTORY | constants.O_NOFOLLOW : file, FILE_MODE);
    try {
      fchmodSync(fd, isFolder ? FOLDER_MODE : FILE_MODE);
      setTimeOf(fd, { seconds: 0, nanoseconds: 0 });
    } finally {
      closeSync(fd);
    }
    setTimeOf(dirFd, {
      seconds: folder?.meta.mtimeSeconds ?? 0,
      nanoseconds: folder?.meta.mtimeNanoseconds ?? 0,
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
