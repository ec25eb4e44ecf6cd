import { constants, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { writeFileAtomically } from '../base/atomic-file.js';
import { quote } from '../base/escape-text.js';
import { ownFile } from '../base/own-files.js';
import { access, readdir, readFile, stat } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { architectureOf, findForeignArchitecture } from '../images/tree-platform.js';
import { PACKAGED_LAUNCHER } from '../runtime/packaged-launcher.js';
import { acquireLock, tryLock } from '../sys/lock-file.js';
import { allowsExecution } from '../sys/mount-flags.js';
import { compareFile, sha256Of } from './file-state.js';
import type { Host } from './host.js';
import { eachDeployment } from './all-deployments.js';
import { removePath } from './remove-path.js';
import { removeTemporaries } from './remove-temporaries.js';

/** Name of a copy: it is what `systemctl status` shows of the service's main process. */
const PROGRAM = 'berth-launch';

/** Held shared by whoever puts a deployment in place, exclusively by whoever removes copies. Never unlinked. */
const LOCK = '.lock';

/** The launcher that a deployment's unit will run. */
export interface ChosenLauncher {
  /** As the host sees it: what stands in `ExecStart=`. */
  readonly path: string;
  /** A copy to make before the unit runs; undefined where the launcher is used in place. */
  readonly copyFrom: string | undefined;
}

/**
 * Finds the launcher. One that the configuration names (`BERTH_LAUNCHER`), or that a package installed, is used where it
 * is; the one of a source checkout is copied into the state directory under its digest, because a checkout may move or be
 * rebuilt, and neither may stop a service. For a tree of another architecture it is one of that.
 *
 * @throws {@link OperationalError} LAUNCHER_MISSING, also where the state directory's file system runs no programs
 */
export async function chooseLauncher(
  host: Host,
  env: Readonly<Record<string, string | undefined>>,
): Promise<ChosenLauncher> {
  const foreign = findForeignArchitecture(host.paths);
  const configured = env['BERTH_LAUNCHER'];
  if (configured !== undefined && configured !== '') {
    const onDisk = host.paths.onDisk(configured);
    await assertExecutable(onDisk, configured);
    if (foreign !== undefined && architectureOf(onDisk) !== foreign)
      throw noLauncherFor(foreign, `the launcher ${quote(configured)} is not for ${foreign}`);
    return { path: configured, copyFrom: undefined };
  }
  const packaged = host.paths.onDisk(PACKAGED_LAUNCHER);
  if (
    (await isExecutable(packaged)) &&
    (foreign === undefined || architectureOf(packaged) === foreign)
  )
    return { path: PACKAGED_LAUNCHER, copyFrom: undefined };
  const built = foreign === undefined ? BUILT : `${BUILT}-${foreign}`;
  if (foreign === undefined) await assertExecutable(built, built);
  else if (!(await isExecutable(built)))
    throw noLauncherFor(foreign, `there is no launcher for ${foreign}`);
  assertCopyCanRun(host);
  const digest = sha256Of(await readFile(built));
  return { path: join(host.paths.launcherDir, digest, PROGRAM), copyFrom: built };
}

function noLauncherFor(architecture: string, problem: string): OperationalError {
  return new OperationalError(
    'LAUNCHER_MISSING',
    `${problem}, which the programs of the tree are for`,
    {
      hint: `install berth's package for ${architecture} in the tree, or a cross compiler for it here and run 'npm run build' again (apt install gcc-aarch64-linux-gnu for arm64)`,
    },
  );
}

/** Where the build puts the launcher; one for another architecture has that behind its name. */
const BUILT = ownFile('dist/launcher/launch');

/**
 * The launcher of this very berth: what carries out plans that are made and used on the spot. Deployments may refer to
 * older ones, which do not know all of today's instructions.
 *
 * @throws {@link OperationalError} LAUNCHER_MISSING
 */
export async function findOwnLauncher(): Promise<string> {
  if (await isExecutable(BUILT)) return BUILT;
  await assertExecutable(PACKAGED_LAUNCHER, PACKAGED_LAUNCHER);
  return PACKAGED_LAUNCHER;
}

/**
 * Makes the copy that {@link chooseLauncher} asked for; one that is there already is kept. While the result is held, no
 * other command removes launchers as unused; dispose of it once the deployment that refers to the copy is in place.
 */
export async function placeLauncher(host: Host, launcher: ChosenLauncher): Promise<Disposable> {
  const folder = host.paths.onDisk(host.paths.launcherDir);
  await makeFolders(folder, 0o700);
  const lock = await acquireLock(join(folder, LOCK), { mode: 'shared', signal: host.signal });
  try {
    if (launcher.copyFrom !== undefined)
      await copyLauncher(host, launcher.copyFrom, host.paths.onDisk(launcher.path));
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function copyLauncher(host: Host, from: string, target: string): Promise<void> {
  const content = await readFile(from);
  if ((await compareFile(target, { kind: 'file', sha256: sha256Of(content) })) !== 'same') {
    await makeFolders(dirname(target), 0o700);
    await writeFileAtomically(target, content, { mode: 0o755 });
  }
  // No unit names it yet, or one does that cannot run it.
  (await host.openLabels())?.labelLauncher(target);
}

/** Removes the copies that no deployment refers to; leaves it to the next command where one is being put in place. */
export async function removeUnusedLaunchers(host: Host): Promise<void> {
  const folder = host.paths.onDisk(host.paths.launcherDir);
  let copies: readonly string[];
  try {
    copies = (await readdir(folder)).filter((name) => name !== LOCK);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
  using lock = tryLock(join(folder, LOCK), 'exclusive');
  if (lock === undefined) return;
  const unused = await findUnused(host, copies);
  for (const copy of copies) {
    if (unused.has(copy)) removePath(join(folder, copy));
    else await removeTemporaries([join(folder, copy, PROGRAM)]);
  }
}

/** Of copies, those that no deployment refers to. There are few, and most are found in use with the first record. */
async function findUnused(host: Host, copies: readonly string[]): Promise<ReadonlySet<string>> {
  const unused = new Map(copies.map((copy) => [join(host.paths.launcherDir, copy, PROGRAM), copy]));
  if (unused.size === 0) return new Set();
  for await (const found of eachDeployment(host)) {
    // What a damaged record refers to is not known.
    if ('error' in found) return new Set();
    if (found.launcher !== undefined) unused.delete(found.launcher);
    if (unused.size === 0) break;
  }
  return new Set(unused.values());
}

function assertCopyCanRun(host: Host): void {
  // A tree that is not running is mounted as the image builder likes; how it will be mounted at boot is not known.
  if (host.paths.root !== '' || allowsExecution(nearestFolder(host.paths.stateDir))) return;
  throw new OperationalError(
    'LAUNCHER_MISSING',
    `the launcher cannot run from ${quote(host.paths.stateDir)}: its file system is mounted noexec`,
    {
      hint: `copy it to ${PACKAGED_LAUNCHER} (as berth's package does), or name another place with BERTH_LAUNCHER`,
    },
  );
}

/** The path itself, or what of it exists: the state directory is made with the first installation. */
function nearestFolder(path: string): string {
  let folder = path;
  while (!existsSync(folder)) folder = dirname(folder);
  return folder;
}

async function assertExecutable(pathOnDisk: string, shown: string): Promise<void> {
  if (await isExecutable(pathOnDisk)) return;
  throw new OperationalError(
    'LAUNCHER_MISSING',
    `the launcher is not there: no program at ${quote(shown)}`,
    {
      hint: "build it with 'npm run build', which needs a C compiler (apt install gcc libc6-dev musl-tools)",
    },
  );
}

/** Whether a program stands there that this process may run. */
export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return false;
    throw error;
  }
}
