import { closeSync, existsSync } from 'node:fs';
import { resolve } from 'node:path';

import { mkdir, rename, writeFile } from '../base/quick-files.js';
import { AsyncScope } from '../base/scope.js';
import { checkNamespacePaths } from '../runtime/check-namespace-paths.js';
import { findRootfs, parseBundleConfig, readDocument, type BundleConfig } from './bundle.js';
import { OperationalError } from '../errors/operational-error.js';
import type { RuntimeConfig } from '../oci/runtime-config.js';
import type { CgroupPlace } from '../runtime/cgroups/cgroup.js';
import { checkConfined } from '../runtime/check-confined.js';
import { readUserFiles } from '../runtime/read-user-files.js';
import { confinementOf } from './confinement.js';
import { chooseManager } from './container-cgroup.js';
import { compileContainerPlan } from './container-plan.js';
import { findProcess } from './container-process.js';
import type { ContainerRecord, ContainerStore } from './container-record.js';
import { destroyContainer } from './destroy-container.js';
import { keptDescriptors, listenEnvironment } from './kept-descriptors.js';
import { launch, type Launched } from './launch.js';
import { mapUserNamespace } from './map-user-namespace.js';
import { offerListener } from './offer-listener.js';
import { runHooks } from './run-hooks.js';
import { usage } from './parse-arguments.js';
import { findLauncher, warn, type RuntimeContext } from './runtime-context.js';
import { makeStartPipe } from './start-pipe.js';
import { stateDocument } from './state-document.js';
import { connectConsole, fetchDescriptor, sendTerminal } from './terminal.js';
import { copyUnderTmpfs } from './tmpfs-content.js';

/** runc's options of `create` and `run`. */
export interface CreateOptions {
  readonly bundle: string;
  readonly pidFile: string | undefined;
  readonly consoleSocket: string | undefined;
  readonly preserveFds: number;
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  /** Whether the launcher ends once the process waits: it is then the caller's, or that of whoever adopts orphans. */
  readonly detach: boolean;
  /** Takes the terminal where there is no console socket for it. */
  readonly onTerminal?: (terminal: number) => void;
}

/** A container whose process waits to be started. */
export interface CreatedContainer {
  readonly record: ContainerRecord;
  readonly launched: Launched;
}

/**
 * Creates a container (runtime-spec runtime.md, "Create"). What fails leaves nothing behind; what is killed leaves a
 * record by which `delete --force` finds the rest.
 *
 * @throws {@link OperationalError}
 */
export async function createContainer(
  context: RuntimeContext,
  store: ContainerStore,
  options: CreateOptions,
): Promise<CreatedContainer> {
  const bundle = resolve(context.cwd, options.bundle);
  const document = parseBundleConfig(readDocument(`${bundle}/config.json`));
  checkTerminal(document, options);
  const rootfs = findRootfs(bundle, document.config);
  const { config } = document;
  if (context.caller !== undefined) checkConfined(config, context.caller);
  const cgroup = planCgroup(context, store, config);
  const record: ContainerRecord = {
    format: 1,
    id: store.id,
    ociVersion: config.ociVersion,
    bundle,
    rootfs,
    annotations: config.annotations,
    created: new Date().toISOString(),
    isCreated: false,
    pid: 0,
    startTime: '',
    cgroup,
    hasCgroup: false,
    hooks: document.hooks,
    noPivot: options.noPivot,
  };
  // Compiled before anything is made: a document that is refused leaves nothing to take away.
  compile(document, { context, store, options, record }, { control: 3, kept: 0, process: 5 });
  checkNamespacePaths(config.linux.namespaces);
  await store.make();
  return store.exclusively(async () => {
    await using undo = new AsyncScope();
    undo.defer(() => destroyContainer(context, store, store.find() ?? record));
    await store.write(record);
    const created = await make(document, { context, store, options, record });
    undo.commit();
    return created;
  });
}

/** @throws {@link OperationalError} RUNTIME_UNSUPPORTED if the container could not be ended without a control group */
function planCgroup(
  context: RuntimeContext,
  { id }: ContainerStore,
  { linux }: RuntimeConfig,
): CgroupPlace {
  const request = { id, path: linux.cgroupsPath, resources: linux.resources };
  const place = chooseManager(context, request).plan(request);
  const ends = linux.namespaces.some(({ type, path = '' }) => type === 'pid' && path === '');
  if (place.manager !== 'none' || ends) return place;
  throw new OperationalError(
    'RUNTIME_UNSUPPORTED',
    'a container without a cgroup needs a new pid namespace, or nothing would hold its processes together',
  );
}

interface Making {
  readonly context: RuntimeContext;
  readonly store: ContainerStore;
  readonly options: CreateOptions;
  readonly record: ContainerRecord;
}

async function make(document: BundleConfig, making: Making): Promise<CreatedContainer> {
  const { context, store, options } = making;
  const { config } = document;
  let { record } = making;
  await writeFile(store.file('config.json'), document.text, { mode: 0o600 });
  makeStartPipe(store.startPipe);
  if (!config.linux.namespaces.some(({ type }) => type === 'mount')) {
    await mkdir(store.hostPlace, { mode: 0o700 });
  }
  const socket =
    options.consoleSocket === undefined
      ? undefined
      : connectConsole(resolve(context.cwd, options.consoleSocket));
  try {
    const launched = await launch({
      launcher: findLauncher(context),
      folder: store.path,
      keep: keptDescriptors(context.env, options.preserveFds),
      env: listenEnvironment(context.env),
      plan: (descriptors) => compile(document, making, descriptors),
      sealed: context.caller?.kind === 'user',
      onUnmapped: async (pid) => {
        if (context.caller !== undefined) await mapUserNamespace(pid, config.linux, context.caller);
      },
      onProcess: async (pid) => {
        const identity = findProcess(pid);
        if (identity === undefined) return; // its message says why it ended
        record = { ...record, ...identity };
        await store.write(record);
        const request = {
          id: store.id,
          path: config.linux.cgroupsPath,
          pid,
          resources: config.linux.resources,
          withoutDeviceRules: context.caller !== undefined,
        };
        const { place } = await chooseManager(context, request).create(request);
        record = { ...record, cgroup: place, hasCgroup: true };
        await store.write(record);
      },
      onStop: async ({ at, pid, fd }) => {
        if (at === 'mounted') {
          copyUnderTmpfs(config, { root: `/proc/${pid}/fd/${fd}`, rootfs: record.rootfs });
          // They come after the second step of the lifecycle, which is the end of `creating` (runtime.md, "State").
          const run = { context, record, status: 'created', folder: store.path } as const;
          await runHooks('prestart', run);
          await runHooks('createRuntime', run);
          await runHooks('createContainer', run);
        } else if (at === 'listener') {
          offerListener(config, { pid, fd, state: stateDocument(record, 'creating') });
        } else if (socket !== undefined) sendTerminal(socket, fetchDescriptor(pid, fd));
        else options.onTerminal?.(fetchDescriptor(pid, fd));
      },
      onWarning: (text) => {
        warn(context, text);
      },
    });
    record = { ...record, isCreated: true };
    if (options.pidFile !== undefined) {
      await writePidFile(resolve(context.cwd, options.pidFile), record.pid);
    }
    await store.write(record);
    return { record, launched };
  } finally {
    if (socket !== undefined) closeSync(socket);
  }
}

function compile(
  document: BundleConfig,
  making: Making,
  descriptors: { readonly control: number; readonly kept: number; readonly process: number },
): Buffer {
  const { store, options, record, context } = making;
  const isFirst = descriptors.kept === 0 && !existsSync(store.path);
  return compileContainerPlan(document.config, {
    ...descriptors,
    ...readUserFiles(record.rootfs),
    name: store.id,
    rootfs: record.rootfs,
    hostPlace: store.hostPlace,
    cgroupVersion: record.cgroup.version,
    detach: options.detach,
    startPipe: store.startPipe,
    noPivot: options.noPivot,
    noNewKeyring: options.noNewKeyring,
    confined: confinementOf(context.caller, document.config),
    onWarning: (text) => {
      if (isFirst) warn(context, text);
    },
  });
}

/** @throws {@link OperationalError} USAGE for a terminal that nobody would have, and for a socket without a terminal */
export function checkTerminal(
  { config }: BundleConfig,
  options: Pick<CreateOptions, 'detach' | 'consoleSocket'>,
): void {
  const { terminal } = config.process;
  if (terminal && options.detach && options.consoleSocket === undefined) {
    usage('a terminal of a program in the background needs --console-socket');
  }
  if (!terminal && options.consoleSocket !== undefined) {
    usage('--console-socket is given, and the program has no terminal');
  }
}

/** Written beside and renamed: whoever waits for it reads a whole number. */
export async function writePidFile(path: string, pid: number): Promise<void> {
  const beside = `${path}.berth-${process.pid}`;
  await writeFile(beside, String(pid), { mode: 0o644 });
  await rename(beside, path);
}
