import type { BigIntStats } from 'node:fs';
import { join } from 'node:path/posix';

import { readFileBounded } from '../../base/bounded-read.js';
import { lstat } from '../../base/quick-files.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { DeployedFile, Deployment, FileRole } from '../deployment.js';
import { compareFile } from '../file-state.js';
import type { Host } from '../host.js';
import { diffLines } from '../text-diff.js';
import { finding, type VerifyArea, type VerifyFinding } from './finding.js';

/** Largest text of which the difference is shown. */
const MAX_SHOWN_BYTES = 256 * 1024;

const AREAS: Readonly<Record<FileRole, VerifyArea>> = {
  unit: 'unit',
  'drop-in': 'drop-in',
  tmpfiles: 'tmpfiles',
  'host-file': 'host-file',
};

/** Compares the files that a deployment put onto the host with what it recorded: kind, content, mode, owner. */
export async function verifyFiles(host: Host, deployment: Deployment): Promise<VerifyFinding[]> {
  const found: VerifyFinding[] = [];
  for (const file of deployment.files) {
    found.push(...(await verifyOnHost(host, deployment, file)));
    const copy = await verifyCopy(host, deployment, file);
    if (copy !== undefined) found.push(copy);
  }
  return found;
}

async function verifyOnHost(
  host: Host,
  deployment: Deployment,
  file: DeployedFile,
): Promise<VerifyFinding[]> {
  const area = AREAS[file.role];
  const { path } = file;
  const onDisk = host.paths.onDisk(path);
  const state = await compareFile(onDisk, file);
  const status = state === 'missing' ? undefined : await statusOf(onDisk);
  if (status === undefined) return [finding({ area, path, problem: 'it is missing' })];
  const found: VerifyFinding[] = [];
  if (state === 'changed') {
    found.push(
      finding({
        area,
        path,
        problem: status.isFile() ? 'its content was changed' : `it is ${kindOf(status)} now`,
        diff: await differenceOf(host, deployment, file),
      }),
    );
    if (!status.isFile()) return found;
  }
  const mode = Number(status.mode) & 0o7777;
  if (file.kind !== 'symlink' && mode !== file.mode) {
    const problem = `its mode is ${showMode(mode)}, it was installed with ${showMode(file.mode)}`;
    found.push(finding({ area, path, problem }));
  }
  const uid = BigInt(process.geteuid?.() ?? 0);
  if (status.uid !== uid)
    found.push(finding({ area, path, problem: `it belongs to the user ${status.uid}` }));
  return found;
}

/** Undefined if it went since it was compared. */
async function statusOf(pathOnDisk: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(pathOnDisk, { bigint: true });
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** What stands in the deployment is what an update or a rollback compares with and puts back. */
async function verifyCopy(
  host: Host,
  deployment: Deployment,
  file: DeployedFile,
): Promise<VerifyFinding | undefined> {
  // What is below rootfs/ is looked at with the rest of it.
  if (file.kind === 'directory' || file.source.startsWith('rootfs/')) return undefined;
  const path = join(deploymentFolder(host, deployment), file.source);
  const state = await compareFile(host.paths.onDisk(path), file);
  if (state === 'same') return undefined;
  const problem = state === 'missing' ? 'it is missing' : 'it is not what was recorded';
  return finding({ area: 'record', path, problem });
}

async function differenceOf(
  host: Host,
  deployment: Deployment,
  file: DeployedFile,
): Promise<readonly string[]> {
  if (file.kind !== 'file') return [];
  const source = join(deploymentFolder(host, deployment), file.source);
  const before = await readText(host.paths.onDisk(source));
  const after = await readText(host.paths.onDisk(file.path));
  return before === undefined || after === undefined ? [] : diffLines(before, after);
}

async function readText(pathOnDisk: string): Promise<string | undefined> {
  try {
    const bytes = await readFileBounded(pathOnDisk, { maxBytes: MAX_SHOWN_BYTES });
    return bytes.includes(0) ? undefined : bytes.toString('utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP') || error instanceof OperationalError)
      return undefined;
    throw error;
  }
}

/** `/var/lib/berth/NAME.N`. */
export function deploymentFolder(host: Host, deployment: Deployment): string {
  return join(host.paths.stateDir, `${deployment.name}.${deployment.number}`);
}

function kindOf(status: { isSymbolicLink(): boolean; isDirectory(): boolean }): string {
  if (status.isSymbolicLink()) return 'a symbolic link';
  return status.isDirectory() ? 'a folder' : 'something else';
}

function showMode(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
