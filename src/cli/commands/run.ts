import { Option, type Command } from 'commander';

import type { Deployment } from '../../containers/deployment.js';
import type { Host } from '../../containers/host.js';
import type { OneRun } from '../../containers/one-run.js';
import type { CliContext } from '../context.js';
import { collect, defineCommand, type CommandCall } from '../define-command.js';
import {
  hideArguments,
  noPullOption,
  registryOptions,
  type RegistryOptionValues,
} from '../registry-options.js';
import { seccompOption } from '../seccomp-option.js';
import { programOf, programOptions, ttyOption, type ProgramOptions } from './exec.js';

interface RunOptions extends RegistryOptionValues, ProgramOptions {
  readonly tty?: boolean;
  readonly set?: readonly string[];
  readonly values?: string;
  readonly pull?: boolean;
  readonly platform?: string;
  readonly allowHostPath?: readonly string[];
  readonly seccomp?: string;
}

/** `berth run NAME|IMAGE [COMMAND…]`. */
export function runCommand(context: CliContext): Command {
  return defineCommand<RunOptions>(
    {
      name: 'run',
      summary: 'run a program in a container, or once in a fresh one of an image',
      args: [
        { syntax: '<what>', description: 'name of an installed container, or of an image' },
        {
          syntax: '[command...]',
          description: "program and arguments, options too; the container's own unless given",
        },
      ],
      options: [
        ttyOption(),
        ...programOptions(),
        new Option('--set <key=value>', 'of a fresh container: give a variable a value').argParser(
          collect,
        ),
        new Option('--values <file>', 'of a fresh container: read values from a file'),
        noPullOption(),
        new Option('--platform <os/arch[/variant]>', 'take the image for another platform'),
        new Option(
          '--allow-host-path <path>',
          'allow the image a guarded path on the host (may be repeated)',
        ).argParser(collect),
        seccompOption(),
        ...registryOptions(),
      ],
      examples: ['berth run etcd etcdctl version', 'berth run -t registry.example/tools:1 sh -l'],
      notes:
        'In a running container it is berth exec. In a stopped one the program gets the same root, mounts, rights and\n' +
        'secrets as the service. An image is installed under a name of its own for the time that it runs. Ends with the\n' +
        "status of the program, or with 128 and the number of the signal that ended it. berth's own options stand before the\nprogram.",
    },
    run,
    context,
  );
}

async function run({ args, options, context }: CommandCall<RunOptions>): Promise<void> {
  hideArguments(options);
  const { withHost } = await import('../open-host.js');
  const { findContainer } = await import('../../containers/container-directory.js');
  const { getRunnableService } = await import('../../containers/find-service.js');
  const { statesOf } = await import('../../containers/list-containers.js');
  const { assertPrivileged } = await import('../../containers/preflight.js');
  const { OperationalError } = await import('../../errors/operational-error.js');
  const { execForUser } = await import('../exec-session.js');
  const [what = '', ...command] = args;
  const tty = options.tty === true;
  const program = programOf(options);
  await withHost(context, options, async (host) => {
    assertPrivileged(host);
    if (host.paths.root !== '')
      throw new OperationalError('USAGE', "in the tree of '--root' nothing can be run");
    const at = what.indexOf('@');
    const installed = await findContainer(
      host.paths,
      what.slice(0, at === -1 ? undefined : at + 1),
    );
    if (installed === undefined) {
      await runFresh(context, host, { image: what, command, options });
      return;
    }
    // Whoever asks for a filter must not be left with the one that was there.
    if (options.seccomp !== undefined)
      throw new OperationalError(
        'USAGE',
        `'--seccomp' is for a fresh container of an image, and '${what}' is installed: its filter is part of it`,
        {
          hint: `'berth update --no-pull --seccomp ${options.seccomp} ${what}' gives it another one`,
        },
      );
    const { deployment, unit } = await getRunnableService(host, what);
    const state = (await statesOf(host, [unit])).get(unit);
    if (state?.mainPid === undefined) {
      const instance = at === -1 ? undefined : what.slice(at + 1);
      await runStopped(context, host, { deployment, command, tty, instance, ...program });
      return;
    }
    if (command.length === 0)
      throw new OperationalError('USAGE', `'${what}' runs already; say what to run in it`);
    await execForUser(context, host, { deployment, unit, command, tty, ...program });
  });
}

/** What {@link runStopped} runs. */
export interface StoppedRun {
  readonly deployment: Deployment;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly instance?: string | undefined;
  readonly oneRun?: OneRun | undefined;
  readonly env?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly workdir?: string | undefined;
}

/** Runs a program in a container that does not run, with the standard streams of this process. */
export async function runStopped(
  context: CliContext,
  host: Host,
  { deployment, command, ...how }: StoppedRun,
): Promise<void> {
  const { runInStopped } = await import('../../containers/run-in-stopped.js');
  const { passSignals } = await import('../pass-signals.js');
  const { CommandExit } = await import('../command-exit.js');
  let passing: Disposable | undefined;
  const status = await runInStopped(host, deployment, {
    ...how,
    args: command,
    stdio: ['inherit', 'inherit', 'inherit'],
    onStart: (child) => {
      passing = passSignals(context, child);
    },
  }).finally(() => passing?.[Symbol.dispose]());
  if (status !== 0) throw new CommandExit(status);
}

async function runFresh(
  context: CliContext,
  host: Host,
  from: {
    readonly image: string;
    readonly command: readonly string[];
    readonly options: CommandCall<RunOptions>['options'];
  },
): Promise<void> {
  const { withFreshContainer } = await import('../../containers/with-fresh-container.js');
  const { pullDisplay } = await import('../pull-display.js');
  const { readValueOptions } = await import('../value-options.js');
  const { readSeccompOption } = await import('../seccomp-option.js');
  const { image, command, options } = from;
  const filter = await readSeccompOption(options);
  await assertMeansImage(host, image);
  const values = await readValueOptions(options);
  using display = pullDisplay(context, options);
  const request = {
    ...values,
    reference: image,
    env: context.host.env,
    noPull: options.pull === false,
    platform: options.platform,
    allowHostPaths: options.allowHostPath ?? [],
    filter,
    onProgress: display.onProgress,
  };
  await withFreshContainer(host, request, async ({ deployment, oneRun }) => {
    display[Symbol.dispose]();
    const how = { ...programOf(options), tty: options.tty === true, oneRun };
    await runStopped(context, host, { deployment, command, ...how });
  });
}

/** Runs a container that was installed for it, and uninstalls it whatever comes of it. */
export async function runAndRemove(
  context: CliContext,
  host: Host,
  run: StoppedRun,
): Promise<void> {
  const { uninstall } = await import('../../containers/uninstall.js');
  try {
    await runStopped(context, host, run);
  } finally {
    // What interrupted the program does not interrupt the tidying up.
    const undisturbed = { ...host, signal: new AbortController().signal };
    await uninstall(undisturbed, run.deployment.name, { purge: true });
  }
}

/** A short name that the store does not have is a mistyped container before it is an image of some registry. */
async function assertMeansImage(host: Host, text: string): Promise<void> {
  if (/[/:]/.test(text)) return;
  const { findStoredImage } = await import('../../containers/find-stored-image.js');
  const { getContainer } = await import('../../containers/container-directory.js');
  if ((await findStoredImage(host, text)) === undefined) await getContainer(host.paths, text);
}
