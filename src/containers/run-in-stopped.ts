import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { join } from 'node:path';

import { writeFileSynced } from '../base/atomic-file.js';
import { readFileBounded } from '../base/bounded-read.js';
import { makeFolders } from '../base/make-folders.js';
import { unlink } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { LAUNCH_PLAN_FILE } from '../runtime/built-in-runtime.js';
import { compileRunPlan } from '../runtime/compile-run-plan.js';
import { DROP_IN_NAME } from '../systemd/drop-in.js';
import { listAssignments, parseUnit } from '../systemd/unit-text.js';
import { readAccounts } from './compile-service.js';
import type { Deployment } from './deployment.js';
import { openDeploymentSide } from './difference-sides.js';
import { resolveExecUser } from './exec-user.js';
import type { Host } from './host.js';
import type { OneRun } from './one-run.js';
import { planOfOneRun, unitOfOneRun } from './one-run-marks.js';
import { findOwnLauncher } from './place-launcher.js';
import { SHELL_STATUS, systemdRunOf } from './systemd-run.js';
import { isRunning } from './unit-states.js';

/** How {@link runInStopped} runs a program. */
export interface RunOptions {
  /** The container's own program unless given. */
  readonly args: readonly string[];
  /** As for {@link execInContainer}. */
  readonly env?: readonly string[] | undefined;
  /** As for {@link execInContainer}. */
  readonly user?: string | undefined;
  readonly workdir?: string | undefined;
  /** Which instance of a template it is. */
  readonly instance?: string | undefined;
  /** Whether it gets a terminal: this process has to have one. */
  readonly tty: boolean;
  readonly stdio: readonly ('inherit' | 'ignore' | 'pipe' | number)[];
  /** Of a container that is there for this run alone: held until the program has ended. */
  readonly oneRun?: OneRun | undefined;
  /** Gets the program that passes signals on. */
  readonly onStart: (child: ChildProcess) => void;
}

/** The largest plan: arguments and environment are 2 MiB at most in Linux. */
const MAX_PLAN_BYTES = 4 * 1024 * 1024;

/** Of the image's own unit: what its program may need to be there. What it does beside (`ExecStartPre=`) is not done. */
const UNIT_KEYS = new Set([
  ...['Runtime', 'State', 'Cache', 'Logs', 'Configuration'].flatMap((kind) => [
    `${kind}Directory`,
    `${kind}DirectoryMode`,
  ]),
  'Environment',
  'EnvironmentFile',
  'Slice',
]);

/** systemd-run cannot set these, or they are about the service's own program. */
const NOT_OF_A_RUN = new Set(['NotifyAccess', 'Type', 'PIDFile', 'WatchdogSec']);

/**
 * Runs a program as a container would run its own: the same root, mounts, rights, limits and secrets, while the
 * container's service does not run. It is a service of its own that is forgotten when it ends. Gives its exit status, or
 * 128 and the number of the signal that ended it.
 *
 * @throws {@link OperationalError} RUNTIME_UNSUPPORTED for a foreign runtime; CONTAINER_STATE_INVALID; PROGRAM_MISSING
 */
export async function runInStopped(
  host: Host,
  deployment: Deployment,
  options: RunOptions,
): Promise<number> {
  const { name, number, units, runtime } = deployment;
  if (units.length === 0 || runtime !== 'berth') {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      units.length === 0
        ? `'${name}' has no service: its image only brings files for the host`
        : `'${name}' is run by ${runtime}: only what berth itself runs can be run so`,
    );
  }
  const folder = join(host.paths.stateDir, `${name}.${number}`);
  const own = await readFileBounded(join(folder, LAUNCH_PLAN_FILE), { maxBytes: MAX_PLAN_BYTES });
  const launcher = deployment.launcher ?? (await findOwnLauncher());
  const id = randomBytes(4).toString('hex');
  await makeFolders(host.paths.runDir, 0o755);
  const { oneRun } = options;
  const [unit, plan] =
    oneRun === undefined
      ? [`berth-run-${name.replace('@', '')}-${id}.service`, join(host.paths.runDir, `.run-${id}`)]
      : [unitOfOneRun(name), planOfOneRun(host.paths, name)];
  const program = await makeProgram(host, { deployment, own, options });
  await writeFileSynced(plan, program, { mode: 0o600 });
  try {
    const properties = await readProperties(folder, name);
    const { words, env } = systemdRunOf(host.paths);
    const child = spawn(
      'systemd-run',
      [
        ...words,
        '--quiet',
        '--collect',
        '--wait',
        '--service-type=exec',
        '--no-ask-password',
        ...Object.entries(SHELL_STATUS).map(([name, value]) => `--setenv=${name}=${value}`),
        options.tty ? '--pty' : '--pipe',
        `--unit=${unit}`,
        ...properties.map(([key, value]) => `--property=${key}=${value}`),
        '--',
        launcher,
        plan,
        ...(options.instance === undefined ? [] : [options.instance]),
      ],
      {
        stdio: oneRun === undefined ? [...options.stdio] : [...options.stdio, oneRun.fd],
        env: { ...process.env, ...env },
      },
    );
    options.onStart(child);
    const status = await endOf(child);
    if (child.signalCode !== null) await stopLeft(host, unit);
    return status;
  } finally {
    await unlink(plan);
  }
}

/** Without anything else asked for it is the container's own plan, which says when its config.json has changed. */
async function makeProgram(
  host: Host,
  from: {
    readonly deployment: Deployment;
    readonly own: Buffer;
    readonly options: RunOptions;
  },
): Promise<Buffer> {
  const { deployment, own, options } = from;
  const { args, env = [], user, workdir: directory } = options;
  const isOwn = args.length === 0 && env.length === 0;
  if (isOwn && user === undefined && directory === undefined) return own;
  if (user === undefined) return compileRunPlan(own, { args, env, identity: { directory } });
  using side = await openDeploymentSide(host, deployment);
  const files = side.tree === undefined ? {} : await readAccounts(side.tree);
  const identity = { directory, user: resolveExecUser(user, files) };
  return compileRunPlan(own, { args, env, identity });
}

/** A signal ends systemd-run and not what it runs. */
async function stopLeft(host: Host, unit: string): Promise<void> {
  const manager = await host.openUnitManager();
  const [state] = await manager.getStates([unit]);
  if (isRunning(state)) await manager.stop(unit, {});
}

async function readProperties(
  folder: string,
  name: string,
): Promise<readonly (readonly [string, string])[]> {
  const read = async (file: string): Promise<ReturnType<typeof listAssignments>> => {
    const bytes = await readFileBounded(join(folder, file), { maxBytes: MAX_PLAN_BYTES });
    return listAssignments(parseUnit(bytes.toString('utf8')));
  };
  const fromUnit = (await read(`${name}.service`)).filter(({ key }) => UNIT_KEYS.has(key));
  const fromDropIn = (await read(DROP_IN_NAME)).filter(({ key }) => !NOT_OF_A_RUN.has(key));
  return [...fromUnit, ...fromDropIn]
    .filter(({ section }) => section === 'Service')
    .map(({ key, value }) => [key, value]);
}

/** How a program ended: its status, or 128 and the number of its signal. */
export async function endOf(child: ChildProcess): Promise<number> {
  return new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status, signal) => {
      resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  }).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw error;
    const [program = ''] = child.spawnargs;
    throw new OperationalError('PROGRAM_MISSING', `cannot run '${program}': it is not installed`);
  });
}
