import { readFileBounded } from '../base/bounded-read.js';
import { isErrno } from '../errors/is-errno.js';
import { asksToRunOnce } from './asks-to-run-once.js';
import type { FetchedImage } from './fetch-image.js';
import { changedMembers } from './config-changes.js';
import { compareFile } from './file-state.js';
import type { Host } from './host.js';
import type { FileChange, InstallPlan } from './install-plan.js';
import type { PlannedHostFile } from './plan-host-files.js';
import type { PreparedDeployment } from './prepared-deployment.js';
import { diffLines } from './text-diff.js';

/** Largest file of the host that is read to show a difference. */
const MAX_COMPARED_BYTES = 1024 * 1024;

/** What {@link describeInstall} adds to a prepared deployment. */
export interface DescribeOptions {
  readonly action: InstallPlan['action'];
  readonly fetched: FetchedImage;
  readonly request: { readonly enable: boolean; readonly start: boolean };
  /** False for what another one requires: it stays, whatever its image says. */
  readonly runsOnce?: false;
}

/** The plan value of a prepared deployment, compared with what stands on the host. */
export async function describeInstall(
  host: Host,
  prepared: PreparedDeployment,
  options: DescribeOptions,
): Promise<InstallPlan> {
  const { deployment } = prepared;
  const files: FileChange[] = [];
  for (const file of prepared.files) files.push(await describeFile(host, file));
  return {
    name: deployment.name,
    action: options.action,
    image: deployment.image,
    fetch: options.fetched.fetch,
    files,
    createdPaths: deployment.createdPaths,
    permissions: deployment.permissions,
    systemCalls: prepared.systemCalls,
    configChanges:
      prepared.changes === undefined
        ? undefined
        : { path: prepared.changes.path, members: changedMembers(prepared.changes) },
    namespaces: prepared.namespaces,
    ports: options.fetched.config.process.exposedPorts,
    health: deployment.health,
    notices: prepared.notices,
    startedBy: prepared.startedBy,
    enable: options.request.enable,
    start: options.request.start,
    runsOnce:
      options.action === 'install' &&
      options.runsOnce !== false &&
      !options.request.start &&
      host.paths.root === '' &&
      asksToRunOnce(deployment),
    values: prepared.shownValues,
    dependencies: prepared.dependencyNotes,
    installs: [],
    warnings: deployment.warnings,
  };
}

async function describeFile(host: Host, file: PlannedHostFile): Promise<FileChange> {
  const { role, path, kind, mode } = file.deployed;
  const text = file.text ?? file.shownText;
  const state = await compareFile(host.paths.onDisk(path), file.deployed);
  return {
    role,
    path,
    kind,
    mode,
    state: state === 'missing' ? 'new' : state,
    text: file.text,
    diff: state === 'changed' && text !== undefined ? await diffAgainst(host, path, text) : [],
    sizeBytes: file.sizeBytes,
  };
}

async function diffAgainst(host: Host, path: string, text: string): Promise<readonly string[]> {
  try {
    const standing = await readFileBounded(host.paths.onDisk(path), {
      maxBytes: MAX_COMPARED_BYTES,
    });
    return diffLines(standing.toString('utf8'), text);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES')) return [];
    throw error;
  }
}
