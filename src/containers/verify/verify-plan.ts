import { basename, dirname, join } from 'node:path/posix';

import { readFileBounded } from '../../base/bounded-read.js';
import { stat } from '../../base/quick-files.js';
import { isErrno } from '../../errors/is-errno.js';
import { LAUNCH_PLAN_FILE } from '../../runtime/built-in-runtime.js';
import { foreignRuntimePath } from '../../runtime/foreign-runtime.js';
import { readPlanStamp } from '../../runtime/read-plan-stamp.js';
import type { KnownDigests } from '../../store/known-digests.js';
import type { Deployment } from '../deployment.js';
import { sha256OfFile } from '../file-state.js';
import type { Host } from '../host.js';
import { isExecutable } from '../place-launcher.js';
import { finding, type VerifyFinding } from './finding.js';
import { deploymentFolder } from './verify-files.js';

/** Largest launch plan that is read: one with 1,000 mounts has 200 KiB. */
const MAX_PLAN_BYTES = 16 * 1024 * 1024;

/** Somebody relabelled by a policy that does not know of berth. */
const LABEL_HINT =
  "'semodule -i berth.cil' tells the policy of it, and 'restorecon -R' on the state directory then labels it; see SELINUX in berth(8)";

/** Checks what the unit runs: launcher and plan, the config.json that the plan was made from; or the other runtime. */
export async function verifyPlan(
  host: Host,
  deployment: Deployment,
  known: KnownDigests,
): Promise<VerifyFinding[]> {
  // What the unit of an adopted container runs stands in its text alone.
  if (deployment.units.length === 0 || deployment.adoptedFrom !== undefined) return [];
  if (deployment.runtime !== 'berth') return verifyForeign(host, deployment);
  return [
    ...(await verifyLauncher(host, deployment, known)),
    ...(await verifyBuiltIn(host, deployment)),
  ];
}

async function verifyForeign(host: Host, deployment: Deployment): Promise<VerifyFinding[]> {
  const path = foreignRuntimePath(deployment.runtime);
  if (await isExecutable(host.paths.onDisk(path))) return [];
  return [finding({ area: 'runtime', path, problem: 'the runtime is not there' })];
}

async function verifyLauncher(
  host: Host,
  deployment: Deployment,
  known: KnownDigests,
): Promise<VerifyFinding[]> {
  const path = deployment.launcher;
  if (path === undefined) return [];
  const onDisk = host.paths.onDisk(path);
  const hint = 'a copy comes back with the next update of the container';
  if (!(await isExecutable(onDisk)))
    return [finding({ area: 'launcher', path, problem: 'the launcher is not there', hint })];
  const found: VerifyFinding[] = [];
  const status = await stat(onDisk, { bigint: true });
  if (Number(status.uid) !== (process.geteuid?.() ?? 0) || (status.mode & 0o022n) !== 0n)
    found.push(finding({ area: 'launcher', path, problem: 'others than root can change it' }));
  // A copy lies in a folder that is named after its content.
  const isCopy = dirname(dirname(path)) === host.paths.launcherDir;
  if (!isCopy) return found;
  const sha256 = known.find(status) ?? (await sha256OfFile(onDisk));
  known.add(status, sha256);
  if (sha256 !== basename(dirname(path)))
    found.push(finding({ area: 'launcher', path, problem: 'its content was changed', hint }));
  // In a tree that is not running, whatever opens its labels sets them, too.
  const labels = host.paths.root === '' ? await host.openLabels() : undefined;
  if (labels?.isLauncher(onDisk) === false) {
    const problem = 'its SELinux label is not the one of a program: systemd may not run it';
    found.push(finding({ area: 'launcher', path, problem, hint: LABEL_HINT }));
  }
  return found;
}

async function verifyBuiltIn(host: Host, deployment: Deployment): Promise<VerifyFinding[]> {
  const { name } = deployment;
  const path = join(deploymentFolder(host, deployment), LAUNCH_PLAN_FILE);
  const hint = `'berth apply ${name}' makes it again from config.json`;
  let plan: Buffer;
  try {
    plan = await readFileBounded(host.paths.onDisk(path), { maxBytes: MAX_PLAN_BYTES });
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    return [finding({ area: 'plan', path, problem: 'it is missing', hint })];
  }
  const found: VerifyFinding[] = [];
  const status = await stat(host.paths.onDisk(path));
  if (status.uid !== (process.geteuid?.() ?? 0) || (status.mode & 0o022) !== 0) {
    const problem = 'others than root can change it: the launcher refuses it';
    found.push(finding({ area: 'plan', path, problem }));
  }
  const reading = readPlanStamp(plan);
  if (reading.kind === 'damaged')
    return [...found, finding({ area: 'plan', path, problem: reading.problem, hint })];
  if (reading.kind === 'newer') {
    const problem = `a newer berth made it (format ${reading.format}), it is not looked into`;
    return [...found, finding({ area: 'plan', severity: 'note', path, problem })];
  }
  const edited = await verifyConfig(host, deployment, reading.stamp);
  return edited === undefined ? found : [...found, edited];
}

async function verifyConfig(
  host: Host,
  deployment: Deployment,
  stamp: { readonly sizeBytes: bigint; readonly mtimeNs: bigint } | undefined,
): Promise<VerifyFinding | undefined> {
  const path = join(deploymentFolder(host, deployment), 'config.json');
  let status;
  try {
    status = await stat(host.paths.onDisk(path), { bigint: true });
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    return finding({
      area: 'config',
      path,
      problem: 'it is missing; the service runs by its plan',
    });
  }
  if (stamp?.sizeBytes === status.size && stamp.mtimeNs === status.mtimeNs) return undefined;
  return finding({
    area: 'config',
    path,
    problem: 'it was edited after the launch plan was made from it; the service runs by its plan',
    hint: `'berth apply ${deployment.name}' takes the change over`,
  });
}
