import { mapAtOnce } from '../../base/map-at-once.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import { withContext } from '../../errors/with-context.js';
import { KnownDigests } from '../../store/known-digests.js';
import { findChangesState } from '../config-changes.js';
import { findContainer, getContainer, listContainerNames } from '../container-directory.js';
import type { Deployment } from '../deployment.js';
import type { Host } from '../host.js';
import { findJournal } from '../journal.js';
import { assertPrivileged } from '../preflight.js';
import { finding, type VerifyFinding } from './finding.js';
import { verifyFiles } from './verify-files.js';
import { verifyPlan } from './verify-plan.js';
import { verifyRoot } from './verify-root.js';
import { verifySealedRoot } from './verify-sealed-root.js';
import { verifyUnits } from './verify-unit.js';

/** While one waits for systemd, or for a disk, another is compared. */
const CONTAINERS_AT_ONCE = 4;

/** How an installed container compares with what was installed. */
export interface VerifyReport {
  readonly name: string;
  /** The N of `NAME.N`; undefined where its record cannot be read. */
  readonly number: number | undefined;
  /** Whether nothing drifted; notes do not count. */
  readonly ok: boolean;
  readonly findings: readonly VerifyFinding[];
}

/** A container that is updated or uninstalled at every look has been looked at often enough. */
const MAX_LOOKS = 3;

/**
 * Compares everything of an installed container with what was installed: files on the host, units, plan, launcher, root.
 * Changes nothing and takes no lock: while another command changes the container, it may see half of that; once that is done,
 * what it saw of the deployment before is no finding, and it looks again.
 *
 * @throws OperationalError CONTAINER_NOT_FOUND, CONTAINER_STATE_INVALID, NEEDS_ROOT
 */
export async function verifyContainer(
  host: Host,
  name: string,
  known = new KnownDigests(),
): Promise<VerifyReport> {
  assertPrivileged(host);
  return withContext(`cannot verify '${name}'`, async () => {
    for (let look = 1; ; look += 1) {
      const deployment = await getContainer(host.paths, name);
      const isLast = async (): Promise<boolean> =>
        look === MAX_LOOKS || (await findContainer(host.paths, name)) === deployment;
      try {
        const report = await compareAll(host, deployment, known);
        if (report.ok || (await isLast())) return report;
      } catch (error) {
        if (!isErrno(error, 'ENOENT', 'ENOTDIR') || (await isLast())) throw error;
      }
    }
  });
}

async function compareAll(
  host: Host,
  deployment: Deployment,
  known: KnownDigests,
): Promise<VerifyReport> {
  const { name, number } = deployment;
  const findings: VerifyFinding[] = [];
  if ((await findJournal(host.paths, name)) !== undefined) {
    findings.push(
      finding({
        area: 'record',
        severity: 'note',
        problem: 'a change is under way, or was interrupted',
        hint: "'berth recover' finishes or undoes what was interrupted",
      }),
    );
  }
  findings.push(
    ...(await verifyChanges(host, deployment)),
    ...(await verifyFiles(host, deployment)),
    ...(await verifyUnits(host, deployment)),
    ...(await verifyPlan(host, deployment, known)),
    ...(await verifyRoot(host, deployment, known)),
    ...(await verifySealedRoot(host, deployment)),
  );
  return { name, number, ok: findings.every(({ severity }) => severity === 'note'), findings };
}

/** Changes of its config.json that were made since: they wait for an update. */
async function verifyChanges(
  { paths }: Host,
  deployment: Deployment,
): Promise<readonly VerifyFinding[]> {
  const state = await findChangesState(paths, deployment);
  if (state === undefined || state.upToDate) return [];
  const { path, problem } = state;
  const takesOver = `'berth update --no-pull ${deployment.name}' takes it over`;
  return [
    finding({
      area: 'config',
      severity: 'note',
      path,
      problem: problem ?? 'is not what the config.json was made with',
      hint: problem === undefined ? takesOver : undefined,
    }),
  ];
}

/**
 * The same for all installed containers. One whose record is damaged is reported as such, and does not hide the rest; one that
 * is uninstalled meanwhile is left out.
 *
 * @throws OperationalError NEEDS_ROOT, CANCELLED
 */
export async function verifyAll(host: Host): Promise<readonly VerifyReport[]> {
  const known = new KnownDigests();
  const names = await listContainerNames(host.paths);
  const reports = await mapAtOnce(names, CONTAINERS_AT_ONCE, (name) =>
    verifyIfThere(host, name, known),
  );
  return reports.filter((report) => report !== undefined);
}

async function verifyIfThere(
  host: Host,
  name: string,
  known: KnownDigests,
): Promise<VerifyReport | undefined> {
  try {
    return await verifyContainer(host, name, known);
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    if (error.code === 'CONTAINER_NOT_FOUND') return undefined;
    if (error.code !== 'CONTAINER_STATE_INVALID' && error.code !== 'STORE_FORMAT') throw error;
    const problem = error.cause instanceof Error ? error.cause.message : error.message;
    const findings = [finding({ area: 'record', problem })];
    return { name, number: undefined, ok: false, findings };
  }
}
