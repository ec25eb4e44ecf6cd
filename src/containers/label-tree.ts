import { constants } from 'node:fs';
import { join } from 'node:path/posix';

import { isErrno } from '../errors/is-errno.js';
import type { At } from '../sys/libc.js';
import {
  giveLabel,
  giveLabelsBelow,
  pathAt,
  readLabel,
  type LabelledEntry,
} from '../sys/security-label.js';
import { eachDeployment } from './all-deployments.js';
import type { Host } from './host.js';
import type { HostLabels } from './host-labels.js';

/**
 * Gives what berth made in a tree that is not running its labels, so that it boots with SELinux enforcing: the state directory,
 * units and their links, folders that tmpfiles lines made. What somebody else labelled outside of the state directory stays
 * so. Where the tree has no labels yet, whoever gives it them comes later, and does so for all.
 */
export async function labelTree(host: Host, labels: HostLabels): Promise<void> {
  const { root, stateDir, unitDir, tmpfilesDir } = host.paths;
  if (root === '' || readLabel(pathAt(root)) === undefined) return;
  labelPlace(host, labels, {
    folder: stateDir,
    contextOf: ({ path, type }) => labels.contextInState(path, type),
  });
  const created: string[] = [];
  for await (const found of eachDeployment(host))
    if (!('error' in found)) created.push(...found.createdPaths);
  for (const folder of new Set([unitDir, tmpfilesDir, ...created])) {
    labelPlace(host, labels, {
      folder,
      contextOf: ({ path, type }, at) =>
        readLabel(at) === undefined ? labels.contextOf(join(folder, path), type) : undefined,
    });
  }
}

interface Place {
  readonly folder: string;
  /** Of what is in it. */
  readonly contextOf: (entry: LabelledEntry, at: At) => string | undefined;
}

function labelPlace(host: Host, labels: HostLabels, { folder, contextOf }: Place): void {
  const at = pathAt(host.paths.onDisk(folder));
  try {
    const context = labels.contextOf(folder, constants.S_IFDIR);
    if (context !== undefined && readLabel(at) === undefined) giveLabel(at, context);
    giveLabelsBelow(at, contextOf);
  } catch (error) {
    // A path of a tmpfiles line may be of anything, or gone.
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) labels.refuse(error, folder);
  }
}
