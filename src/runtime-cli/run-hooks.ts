import { closeSync } from 'node:fs';

import { OperationalError } from '../errors/operational-error.js';
import type { HookName } from '../oci/runtime-config.js';
import { ownNamespaces } from '../runtime/own-namespaces.js';
import { compileHookPlan } from './container-plan.js';
import { HeldProcess } from './container-process.js';
import type { ContainerRecord, ContainerStatus } from './container-record.js';
import { hookCommand, runHook, type Hook } from './hooks.js';
import { confinementOf } from './confinement.js';
import { unnamedFile } from './launch.js';
import { launcherProgram } from './launcher-program.js';
import { findLauncher, warn, type RuntimeContext } from './runtime-context.js';
import { stateDocument } from './state-document.js';

/** Which hooks to run, of what. */
export interface HookRun {
  readonly context: RuntimeContext;
  readonly record: ContainerRecord;
  readonly status: ContainerStatus;
  /** Where a plan may be made for a moment. */
  readonly folder: string;
}

/** Hooks that run in the namespaces of the container (config.md, "POSIX-platform Hooks"). */
const IN_CONTAINER: ReadonlySet<HookName> = new Set(['createContainer', 'startContainer']);

/**
 * Runs all hooks of one name, in order, and stops at the first that fails.
 *
 * @throws {@link OperationalError} PROGRAM_FAILED
 */
export async function runHooks(name: HookName, run: HookRun): Promise<void> {
  for (const hook of run.record.hooks[name]) await runOne(name, hook, run);
}

/** Runs all hooks of one name; a failure is a warning, and the next one runs (runtime.md, "Lifecycle"). */
export async function runHooksToTheEnd(name: HookName, run: HookRun): Promise<void> {
  for (const hook of run.record.hooks[name]) {
    try {
      await runOne(name, hook, run);
    } catch (error) {
      warn(run.context, error instanceof Error ? error.message : String(error));
    }
  }
}

async function runOne(name: HookName, hook: Hook, run: HookRun): Promise<void> {
  const { context, record } = run;
  const about = (pid?: number): Parameters<typeof runHook>[1] => ({
    name,
    path: hook.path,
    state: JSON.stringify(stateDocument(record, run.status, pid)),
    timeoutSeconds: hook.timeoutSeconds,
  });
  if (!IN_CONTAINER.has(name)) {
    await runHook(hookCommand(hook), about());
    return;
  }
  using process = HeldProcess.open(record);
  if (process === undefined) {
    throw new OperationalError(
      'CONTAINER_NOT_RUNNING',
      `the container ended before its ${name} hook`,
    );
  }
  // The launcher looks for its program by its first argument; a hook's is the path.
  const plan = compileHookPlan(
    { args: [hook.path, ...hook.args.slice(1)], env: hook.env },
    {
      name: record.id,
      namespaces: ownNamespaces(process.directory),
      process: 4,
      confined: confinementOf(context.caller, process.directory),
    },
  );
  const file = unnamedFile(run.folder, plan);
  try {
    using program = launcherProgram(
      { launcher: findLauncher(context), sealed: context.caller?.kind === 'user' },
      5,
    );
    await runHook(
      {
        ...program,
        args: ['/proc/self/fd/3'],
        env: {},
        descriptors: [file, process.fd, ...program.descriptors],
      },
      about(process.innerPid()),
    );
  } finally {
    closeSync(file);
  }
}
