import { closeSync, readFileSync } from 'node:fs';
import { posix, resolve } from 'node:path';

import { parseStrictJson } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';
import type { CgroupPlace } from '../runtime/cgroups/cgroup.js';
import { ownNamespaces } from '../runtime/own-namespaces.js';
import { readUserFiles } from '../runtime/read-user-files.js';
import { parseBundleConfig } from './bundle.js';
import { checkConfined } from '../runtime/check-confined.js';
import { confinementOf } from './confinement.js';
import { joinCgroup } from './container-cgroup.js';
import { openContainerTerminal } from './container-terminal.js';
import { compileJoiningPlan } from './container-plan.js';
import { HeldProcess, isAlive } from './container-process.js';
import type { ContainerStore } from './container-record.js';
import { checkTerminal, writePidFile } from './create-container.js';
import { keptDescriptors, listenEnvironment } from './kept-descriptors.js';
import { launch, type Launched } from './launch.js';
import { offerListener } from './offer-listener.js';
import { findLauncher, warn, type RuntimeContext } from './runtime-context.js';
import { usage } from './parse-arguments.js';
import { stateDocument } from './state-document.js';
import { connectConsole, fetchDescriptor, sendTerminal } from './terminal.js';

/** runc's options of `exec`. */
export interface ExecOptions {
  /** `process` of a config.json, as text. */
  readonly process: string;
  readonly pidFile: string | undefined;
  readonly consoleSocket: string | undefined;
  readonly preserveFds: number;
  readonly detach: boolean;
  readonly ignorePaused: boolean;
  /** A group below the container's own. */
  readonly cgroup: string | undefined;
  readonly onTerminal?: (terminal: number) => void;
}

/**
 * Runs a program in a container that runs. Everything of the container is reached through a held process, and that it
 * still is the container's is checked when the launcher has opened what it needs: a number that was given to another
 * process meanwhile leads nowhere.
 *
 * @throws {@link OperationalError}
 */
export async function execInContainer(
  context: RuntimeContext,
  store: ContainerStore,
  options: ExecOptions,
): Promise<Launched> {
  const record = store.read();
  const status = store.status(record);
  if (status === 'stopped' || status === 'creating') {
    throw new OperationalError('CONTAINER_NOT_RUNNING', `cannot exec in a ${status} container`);
  }
  if (status === 'paused' && !options.ignorePaused) {
    throw new OperationalError(
      'CONTAINER_NOT_RUNNING',
      'cannot exec in a paused container (use --ignore-paused to override)',
    );
  }
  using held = HeldProcess.open(record);
  if (held === undefined) {
    throw new OperationalError('CONTAINER_NOT_RUNNING', 'cannot exec in a stopped container');
  }
  const document = parseBundleConfig(withProcess(store, options.process));
  const { config } = document;
  checkTerminal(document, options);
  const confined = confinementOf(context.caller, held.directory);
  if (context.caller !== undefined) checkConfined(config, context.caller);
  const isUser = confined?.kind === 'user';
  const socket =
    options.consoleSocket === undefined
      ? undefined
      : connectConsole(resolve(context.cwd, options.consoleSocket));
  const namespaces = ownNamespaces(held.directory);
  let slave: number | undefined;
  try {
    if (isUser && config.process.terminal) {
      const terminal = openContainerTerminal(held.directory, config.process.consoleSize);
      slave = terminal.slave;
      if (socket !== undefined) sendTerminal(socket, terminal.master);
      else options.onTerminal?.(terminal.master);
    }
    const launched = await launch({
      launcher: findLauncher(context),
      sealed: isUser,
      ...(slave === undefined ? {} : { stdio: [slave, slave, slave] }),
      folder: store.path,
      keep: keptDescriptors(context.env, options.preserveFds),
      process: held.fd,
      env: listenEnvironment(context.env),
      plan: (descriptors) =>
        compileJoiningPlan(config, {
          ...descriptors,
          ...readUserFiles(`${held.directory}/root`),
          name: store.id,
          rootfs: record.rootfs,
          hostPlace: store.hostPlace,
          cgroupVersion: record.cgroup.version,
          namespaces,
          detach: options.detach,
          startPipe: undefined,
          noPivot: false,
          noNewKeyring: true,
          confined,
          terminalIsInput: slave !== undefined,
          onWarning: () => undefined, // said when the container was created
        }),
      onProcess: async (pid) => {
        if (!isAlive(record))
          throw new OperationalError('CONTAINER_NOT_RUNNING', 'the container has stopped');
        const cgroup = subgroup(record.cgroup, options.cgroup);
        await joinCgroup({ ...record, cgroup }, pid);
      },
      onStop: ({ at, pid, fd }) => {
        if (at === 'listener')
          offerListener(config, { pid, fd, state: stateDocument(record, status) });
        else if (socket !== undefined) sendTerminal(socket, fetchDescriptor(pid, fd));
        else options.onTerminal?.(fetchDescriptor(pid, fd));
      },
      onWarning: (text) => {
        warn(context, text);
      },
    });
    if (options.pidFile !== undefined) {
      await writePidFile(resolve(context.cwd, options.pidFile), launched.pid);
    }
    return launched;
  } finally {
    if (slave !== undefined) closeSync(slave);
    if (socket !== undefined) closeSync(socket);
  }
}

/** The container's document with another process; what it does not say of groups and labels stays as it is. */
function withProcess(store: ContainerStore, process: string): string {
  const document = JSON.parse(readFileSync(store.file('config.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  return JSON.stringify({
    ...document,
    process: parseStrictJson(process, { what: 'the process' }),
  });
}

/** A group below the container's own, or that itself. */
function subgroup(place: CgroupPlace, name: string | undefined): CgroupPlace {
  if (name === undefined) return place;
  const path = name.replace(/^[\w,]+:/, '');
  if (path.split('/').includes('..')) usage("--cgroup: refusing a path with '..'");
  const directories = Object.entries(place.directories).map(([key, folder]) => [
    key,
    posix.join(folder, path),
  ]);
  return { ...place, directories: Object.fromEntries(directories) as Record<string, string> };
}
