import { constants } from 'node:fs';
import { dirname, join } from 'node:path';

import { quote } from '../base/escape-text.js';
import { access, lstat } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { DeployedFile } from './deployment.js';
import { compareFile } from './file-state.js';
import type { Host } from './host.js';
import { listFolder } from './list-folder.js';
import { pathsThatStay } from './path-owners.js';
import type { TransitionSide } from './transition.js';

/**
 * Checks that what a container has on the host can be taken away, before its service is stopped for that: a read-only disk and an
 * immutable file or folder keep it there, root or not. Links by which its units are enabled count, too.
 *
 * @throws {@link OperationalError} SYSTEM_CALL_FAILED
 */
export async function assertRemovable(
  host: Host,
  name: string,
  { files, units }: Pick<TransitionSide, 'files' | 'units'>,
): Promise<void> {
  const shared = await pathsThatStay(host, name);
  for (const file of files) {
    if (shared.has(file.path)) continue;
    const problem = await findProblem(host, file.path);
    // What the administrator changed stays anyway, and may be kept so on purpose.
    if (problem !== undefined && !(await stays(host, file))) throw problem;
  }
  for (const link of await findEnableLinks(host, units)) {
    const problem = await findProblem(host, link);
    if (problem !== undefined) throw problem;
  }
}

async function stays({ paths }: Host, file: DeployedFile): Promise<boolean> {
  return (
    file.role === 'host-file' && (await compareFile(paths.onDisk(file.path), file)) === 'changed'
  );
}

async function findProblem({ paths }: Host, path: string): Promise<OperationalError | undefined> {
  const stat = await lstatIfThere(paths.onDisk(path));
  if (stat === undefined) return undefined;
  const folder = dirname(path);
  return (
    (await whyFixed(paths.onDisk(folder), `, so that ${quote(path)} cannot be removed`)) ??
    // What a link leads to may be anything.
    (stat.isFile() ? await whyFixed(paths.onDisk(path), '') : undefined)
  );
}

async function findEnableLinks(host: Host, units: readonly string[]): Promise<readonly string[]> {
  const { unitDir } = host.paths;
  const isOwn = (name: string): boolean =>
    units.some((unit) =>
      unit.includes('@.')
        ? name.startsWith(unit.slice(0, unit.indexOf('@') + 1)) && name.endsWith(endingOf(unit))
        : name === unit,
    );
  const links: string[] = [];
  for (const folder of await listFolder(host.paths.onDisk(unitDir))) {
    if (!/\.(?:wants|requires|upholds)$/.test(folder)) continue;
    const names = await listFolder(host.paths.onDisk(join(unitDir, folder)));
    links.push(...names.filter(isOwn).map((name) => join(unitDir, folder, name)));
  }
  return links;
}

function endingOf(unit: string): string {
  return unit.slice(unit.lastIndexOf('.'));
}

async function lstatIfThere(
  pathOnDisk: string,
): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
  try {
    return await lstat(pathOnDisk);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** What else refuses shows itself when it is tried. */
async function whyFixed(pathOnDisk: string, what: string): Promise<OperationalError | undefined> {
  try {
    await access(pathOnDisk, constants.W_OK);
    return undefined;
  } catch (error) {
    if (isErrno(error, 'EROFS'))
      return new OperationalError(
        'SYSTEM_CALL_FAILED',
        `${quote(pathOnDisk)} is on a file system that is read-only${what}`,
        { hint: 'mount it writable, then run the command again' },
      );
    // The kernel says this of an attribute; rights that are missing are EACCES.
    if (!isErrno(error, 'EPERM')) return undefined;
    return new OperationalError('SYSTEM_CALL_FAILED', `${quote(pathOnDisk)} is immutable${what}`, {
      hint: `run 'chattr -i ${pathOnDisk}', then the command again`,
    });
  }
}
