import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { writeFileSynced } from '../base/atomic-file.js';
import { readFileBounded } from '../base/bounded-read.js';
import { unlink } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { LAUNCH_PLAN_FILE } from '../runtime/built-in-runtime.js';
import { compileExecPlan } from '../runtime/compile-exec-plan.js';
import { NAMESPACE_FILES, ownNamespaces } from '../runtime/own-namespaces.js';
import { HOST_DIRECTORY } from '../runtime/host-directory.js';
import type { ImageUser } from '../runtime/image-user.js';
import { readUserFiles } from '../runtime/read-user-files.js';
import { openInRoot } from '../sys/open-in-root.js';
import type { UnitManager } from '../systemd/unit-manager.js';
import type { Deployment } from './deployment.js';
import { assertMapped, resolveExecUser } from './exec-user.js';
import type { Host } from './host.js';
import { openMainProcess, type MainProcess } from './main-process.js';
import { findOwnLauncher } from './place-launcher.js';
import { SHELL_STATUS, systemdRunOf } from './systemd-run.js';

/** Options of {@link execInContainer}. */
export interface ExecOptions {
  readonly args: readonly string[];
  /** Variables (`NAME=VALUE`) beside those of the container's own, or in their place. */
  readonly env?: readonly string[] | undefined;
  /** Who runs it, as {@link resolveExecUser} takes it; the container's own user unless given. */
  readonly user?: string | undefined;
  /** Absolute path of the folder where it begins; the container's own unless given. */
  readonly workdir?: string | undefined;
  /** Gets what the program writes; called until it has ended. */
  readonly onOutput: (stream: 'stdout' | 'stderr', chunk: Buffer) => void;
  /** Gets the running program, to pass signals and input on. */
  readonly onStart?: (child: ChildProcess) => void;
  /** The unit, where it is an instance of the container's. */
  readonly unit?: string;
  /** The far end of a terminal for its standard streams, in place of pipes. */
  readonly terminal?: number;
  /** Whether it gets an input at all; else its standard input is at its end. */
  readonly input?: boolean;
  /** Longest run; after it, and when the signal aborts, it is killed with everything that it started. */
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
}

/** How a program in a container ended. */
export interface ExecOutcome {
  /** Undefined if it died of a signal. */
  readonly status: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly timedOut: boolean;
}

/** The largest plan: arguments and environment are 2 MiB at most in Linux. */
const MAX_PLAN_BYTES = 4 * 1024 * 1024;

/** The descriptors that the launcher gets beside the standard ones. */
const PROCESS_FD = 3;
const PLAN_FD = 4;

/**
 * Runs a program inside a running container, as the container's own user unless another is named, and with no more rights than its program has.
 * It is started by berth's launcher, on a plan that joins the container's namespaces: no program of the host ever runs
 * in there (CVE-2019-5736), and none of its descriptors gets there (CVE-2024-21626). It is no part of the service's
 * control group, but of a scope of its own that ends with the service, and with it whatever it has started.
 *
 * @throws {@link OperationalError} CONTAINER_NOT_RUNNING; RUNTIME_UNSUPPORTED for a foreign runtime; LAUNCHER_MISSING;
 *   PROGRAM_MISSING without systemd-run
 */
export async function execInContainer(
  host: Host,
  deployment: Deployment,
  options: ExecOptions,
): Promise<ExecOutcome> {
  const unit = options.unit ?? deployment.units[0];
  if (unit === undefined || deployment.runtime !== 'berth') {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      unit === undefined
        ? `'${deployment.name}' has no service`
        : `'${deployment.name}' is run by ${deployment.runtime}: only what berth itself runs can be entered`,
    );
  }
  const manager = await host.openUnitManager();
  const launcher = await findOwnLauncher();
  using process = await openMainProcess(manager, unit, deployment.launcher);
  const { terminal } = options;
  const plan = await makePlan(host, { deployment, process, options });
  const scope = `berth-exec-${deployment.name.replace('@', '')}-${randomBytes(4).toString('hex')}.scope`;
  const stream = terminal ?? 'pipe';
  const { words, env } = systemdRunOf(host.paths);
  const scopeWords = scopeArguments({ scope, unit, launcher, terminal });
  const child = spawn('systemd-run', [...words, ...scopeWords], {
    // Without the terminal of who asks: with it, a program could type for him (TIOCSTI). setsid(1) sees to that itself.
    detached: terminal === undefined,
    stdio: [stream, stream, stream, process.fd, plan],
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      LC_ALL: 'C.UTF-8',
      ...SHELL_STATUS,
      ...env,
    },
  });
  closeSync(plan);
  return await waitForEnd(manager, { scope, child, options });
}

/**
 * Writes the plan into a file without a name and gives a descriptor for it: it is not left behind whatever happens.
 */
async function makePlan(
  host: Host,
  from: {
    readonly deployment: Deployment;
    readonly process: MainProcess;
    readonly options: ExecOptions;
  },
): Promise<number> {
  const { deployment, process, options } = from;
  const { args, terminal, env: variables = [], user, workdir: directory } = options;
  const { stateDir, runDir } = host.paths;
  const own = join(stateDir, `${deployment.name}.${deployment.number}`, LAUNCH_PLAN_FILE);
  const launchPlan = await readFileBounded(own, { maxBytes: MAX_PLAN_BYTES });
  const plan = compileExecPlan(launchPlan, {
    args,
    joins: ownNamespaces(`/proc/self/fd/${process.fd}`).map((type) => ({
      type,
      path: `/proc/self/fd/${PROCESS_FD}/ns/${NAMESPACE_FILES[type]}`,
    })),
    root: `/proc/self/fd/${PROCESS_FD}/root`,
    terminal: terminal !== undefined,
    identity: {
      ...(user === undefined ? {} : { user: findUser(`/proc/self/fd/${process.fd}`, user) }),
      ...(directory === undefined ? {} : { directory }),
    },
    env: [
      ...(hasCredentials(process) ? [`CREDENTIALS_DIRECTORY=${HOST_DIRECTORY}/credentials`] : []),
      ...variables,
    ],
  });
  await makeFolders(runDir, 0o755);
  const path = join(runDir, `.exec-${randomBytes(8).toString('hex')}`);
  await writeFileSynced(path, plan, { mode: 0o600 });
  try {
    return openSync(path, 'r');
  } finally {
    await unlink(path);
  }
}

/** In the files that the container has now, not its image. */
function findUser(directory: string, text: string): ImageUser {
  const user = resolveExecUser(text, readUserFiles(`${directory}/root`));
  assertMapped(directory, user);
  return user;
}

/** Whether the container's program was given credentials; the root is the container's, and so is every link in it. */
function hasCredentials(process: MainProcess): boolean {
  const root = openSync(`/proc/self/fd/${process.fd}/root`, 'r');
  try {
    closeSync(openInRoot(root, `${HOST_DIRECTORY}/credentials`, { noSymlinks: true }));
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES')) return false;
    throw error;
  } finally {
    closeSync(root);
  }
}

function scopeArguments(about: {
  readonly scope: string;
  readonly unit: string;
  readonly launcher: string;
  readonly terminal: number | undefined;
}): readonly string[] {
  return [
    '--scope',
    '--quiet',
    '--collect',
    '--no-ask-password',
    `--unit=${about.scope}`,
    `--property=BindsTo=${about.unit}`,
    `--property=After=${about.unit}`,
    // Stopping the scope is killing what is left in it.
    '--property=KillSignal=SIGKILL',
    '--property=SendSIGHUP=no',
    '--',
    // What the terminal is controlled by is the program in the container, so that Ctrl-C reaches it.
    ...(about.terminal === undefined ? [] : ['setsid', '--ctty', '--wait']),
    about.launcher,
    `/proc/self/fd/${PLAN_FD}`,
  ];
}

async function waitForEnd(
  manager: UnitManager,
  run: {
    readonly scope: string;
    readonly child: ChildProcess;
    readonly options: ExecOptions;
  },
): Promise<ExecOutcome> {
  const { scope, child, options } = run;
  child.stdout?.on('data', (chunk: Buffer) => {
    options.onOutput('stdout', chunk);
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    options.onOutput('stderr', chunk);
  });
  child.stdin?.on('error', () => undefined); // a program that does not read its input is not a failure
  if (options.input !== true) child.stdin?.end();
  let timedOut = false;
  const kill = (): void => {
    child.kill('SIGKILL');
    void stopScope(manager, scope);
  };
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          kill();
        }, options.timeoutMs);
  options.signal.addEventListener('abort', kill, { once: true });
  try {
    const ended = new Promise<Omit<ExecOutcome, 'timedOut'>>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (status, signal) => {
        resolve({ status: status ?? undefined, signal: signal ?? undefined });
      });
    });
    options.onStart?.(child);
    const outcome = await ended;
    // What it left running goes with it; it may even hold our pipes open.
    await stopScope(manager, scope);
    await drained(child);
    return { ...outcome, timedOut };
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    throw new OperationalError('PROGRAM_MISSING', "cannot run 'systemd-run': it is not installed");
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener('abort', kill);
  }
}

/** Kills what is left in a scope; one that is empty is gone already, and one without systemd cannot be asked for. */
async function stopScope(manager: UnitManager, scope: string): Promise<void> {
  try {
    const [state] = await manager.getStates([scope]);
    if (state !== undefined && state.activeState !== 'inactive') await manager.stop(scope, {});
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
  }
}

/** What was written before the end is read to its end. */
function drained(child: ChildProcess): Promise<void> {
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null);
  return Promise.all(
    streams.map((stream) =>
      stream.readableEnded || stream.destroyed
        ? Promise.resolve()
        : new Promise((resolve) => stream.once('close', resolve)),
    ),
  ).then(() => undefined);
}
