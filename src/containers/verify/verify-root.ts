import { join } from 'node:path/posix';

import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import { openDirectoryTree } from '../../store/directory-tree.js';
import {
  compareTrees,
  type FileDifference,
  type TreeDifference,
} from '../../store/compare-trees.js';
import type { KnownDigests } from '../../store/known-digests.js';
import { isMadeMountPoint } from '../../store/mount-points.js';
import type { Deployment } from '../deployment.js';
import type { Host } from '../host.js';
import { finding, type VerifyFinding } from './finding.js';
import { deploymentFolder } from './verify-files.js';

/** Findings about files of one root; the last says how many more there are. */
const MAX_FINDINGS = 100;

/** Compares the root of a deployment with what its image has there: content, mode, owner, time, attributes, names. */
export async function verifyRoot(
  host: Host,
  deployment: Deployment,
  known: KnownDigests,
): Promise<VerifyFinding[]> {
  if (deployment.adoptedFrom !== undefined) {
    const problem = "its root is a checkout of atomic's: not compared with an image";
    const hint = `'berth update ${deployment.name}' moves it onto a checkout of berth's`;
    return [finding({ area: 'rootfs', severity: 'note', path: deployment.rootfs, problem, hint })];
  }
  if (deployment.rootfs !== 'checkout') return [];
  const rootfs = join(deploymentFolder(host, deployment), 'rootfs');
  const outcome = await compareRoot(host, deployment, known);
  if (typeof outcome === 'string') {
    return [finding({ area: 'image', severity: 'note', problem: outcome })];
  }
  const hint = "'berth fsck --repair' puts back what the image has";
  const { files, added, removed, changed } = outcome;
  const found = files.slice(0, MAX_FINDINGS).map((file) =>
    finding({
      area: 'rootfs',
      path: join(rootfs, file.path),
      problem: describe(file),
      hint: file.change === 'added' ? undefined : hint,
    }),
  );
  const more = added + removed + changed - found.length;
  return more === 0
    ? found
    : [...found, finding({ area: 'rootfs', path: rootfs, problem: `${more} more files differ` })];
}

/**
 * The root of a deployment against its image; a sentence where there is nothing to compare with. `known` is for all that one
 * command compares.
 */
export async function compareRoot(
  host: Host,
  deployment: Deployment,
  known: KnownDigests,
): Promise<TreeDifference | string> {
  const store = await host.openStore({ prefer: deployment.storage });
  const rootfs = join(deploymentFolder(host, deployment), 'rootfs');
  let expected;
  try {
    const image = await store.findImage(deployment.image.digest);
    if (image === undefined)
      return 'its image is not in the store: the files of its root are not compared with it';
    expected = await store.openTree(image);
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'STORE_INVALID')
      return `its image is damaged in the store (${error.message}): 'berth fsck' says more`;
    throw error;
  }
  try {
    using actual = openDirectoryTree(host.paths.onDisk(rootfs), {
      toleratesBadDisk: true,
      known,
    });
    return await compareTrees(expected.root, actual.root, {
      times: true,
      isCheckout: true,
      toleratesDamage: true,
      isExpected: (_, node) => isMadeMountPoint(node),
      signal: host.signal,
    });
  } catch (error) {
    const cause = error instanceof OperationalError ? error.cause : error;
    if (isErrno(cause, 'ENOENT', 'ENOTDIR')) return `${rootfs} is missing, or changes at present`;
    throw error;
  }
}

function describe(file: FileDifference): string {
  switch (file.change) {
    case 'added':
      return 'the image has nothing of that name';
    case 'removed':
      return 'it is missing';
    case 'changed':
      return `it is not as the image has it: ${file.aspects.join(', ')}`;
  }
}
