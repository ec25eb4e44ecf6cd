import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { basename, join, resolve } from 'node:path';

import { Option, type Command } from 'commander';

import type { Deployment } from '../../containers/deployment.js';
import type { Host } from '../../containers/host.js';
import type { InstallPlan } from '../../containers/install-plan.js';
import type { InstallOutcome } from '../../containers/install.js';
import type { OneRun } from '../../containers/one-run.js';
import { asksToRunOnce } from '../../containers/asks-to-run-once.js';
import type { CliContext, CommonOptions } from '../context.js';
import { collect, defineCommand, type CommandCall } from '../define-command.js';
import { storageOption } from '../storage-option.js';
import { seccompOption } from '../seccomp-option.js';
import {
  hideArguments,
  noPullOption,
  registryOptions,
  type RegistryOptionValues,
} from '../registry-options.js';

interface InstallOptions extends RegistryOptionValues {
  readonly name?: string;
  readonly set?: readonly string[];
  readonly values?: string;
  readonly rootfs?: string;
  readonly runtime?: string;
  readonly system?: boolean;
  readonly storage?: string;
  readonly start?: boolean;
  readonly enable?: boolean;
  readonly plan?: boolean;
  readonly systemPackage?: string;
  readonly pull?: boolean;
  readonly platform?: string;
  readonly allowHostPath?: readonly string[];
  readonly keepExisting?: boolean;
  readonly seccomp?: string;
  readonly withDependencies?: boolean;
  readonly onCalendar?: string;
}

/** `berth install IMAGE`. */
export function installCommand(context: CliContext): Command {
  return defineCommand<InstallOptions>(
    {
      name: 'install',
      summary: 'install an image as a systemd service',
      args: [
        {
          syntax: '<image>',
          description:
            'reference of the image: etcd, registry.example/etcd:3.5, oci:/media/usb/etcd',
        },
      ],
      options: [
        new Option(
          '--system',
          'install for the whole system, as always without --user (the spelling of atomic)',
        ),
        new Option(
          '-n, --name <name>',
          'name of the container and its unit; the last part of the image name unless given',
        ),
        new Option(
          '--set <key=value>',
          'give a variable of the image a value (may be repeated)',
        ).argParser(collect),
        new Option(
          '--values <file>',
          'read values from a file of KEY=VALUE lines or a JSON object',
        ),
        new Option(
          '--with-dependencies',
          'install what the image requires and nobody on the host is, too',
        ),
        new Option(
          '--start',
          'start the service, or the socket, timer or path that starts it, and wait until it is active',
        ),
        new Option(
          '--on-calendar <times>',
          'run it at these times, as systemd.time(7) has them, where the image brings no units',
        ),
        new Option('--no-enable', 'do not have systemd start it at boot'),
        new Option('--plan', 'show what would be done and change nothing'),
        noPullOption(),
        new Option('--platform <os/arch[/variant]>', 'take the image for another platform'),
        new Option(
          '--rootfs <dir>',
          'use an existing root file system instead of a checkout of the image',
        ),
        new Option(
          '--runtime <runtime>',
          "run the container by 'crun', 'runc' or a program instead of berth's own runtime",
        ),
        storageOption(),
        new Option(
          '--allow-host-path <path>',
          'allow the image a guarded path on the host (may be repeated)',
        ).argParser(collect),
        new Option(
          '--keep-existing',
          'keep files of the host that differ from those the image brings',
        ),
        new Option(
          '--system-package <mode>',
          'taken for scripts of atomic; berth makes no packages of the host',
        ).choices(['auto', 'no']),
        seccompOption(),
        ...registryOptions(),
      ],
      examples: [
        'berth install --system --start etcd',
        'berth install --name web --set PORT=8080 registry.example/nginx:1.27',
        'berth install --plan etcd',
        "berth install --on-calendar 'Mon..Fri 02:30' registry.example/backup",
        'berth install --root /mnt/image etcd',
        'berth --user install --start registry.example/web',
      ],
      notes:
        'An image with the label atomic.run=once is run once, in the foreground, and removed again,\nunless it brings a socket, timer or path that starts it.',
    },
    (call) => runInstall(call),
    context,
  );
}

async function runInstall({ args, options, context }: CommandCall<InstallOptions>): Promise<void> {
  hideArguments(options);
  const { withHost } = await import('../open-host.js');
  const { install } = await import('../../containers/install.js');
  const { beginOneRun } = await import('../../containers/one-run.js');
  const { AsyncScope } = await import('../../base/scope.js');
  const { getContainer } = await import('../../containers/container-directory.js');
  const { printResult } = await import('../output/print.js');
  const { formatPlan } = await import('../output/format-plan.js');
  const { pullDisplay } = await import('../pull-display.js');
  const { readValueOptions } = await import('../value-options.js');
  const { readSeccompOption } = await import('../seccomp-option.js');
  if (options.system === true && options.user === true) {
    const { OperationalError } = await import('../../errors/operational-error.js');
    throw new OperationalError('USAGE', "'--system' and '--user' do not go together");
  }
  const values = await readValueOptions(options);
  const filter = await readSeccompOption(options);
  const onCalendar = await readTimes(options);
  await withHost(context, options, async (host) => {
    using display = pullDisplay(context, options);
    await using scope = new AsyncScope();
    let oneRun: OneRun | undefined;
    const outcome = await install(host, {
      reference: args[0] ?? '',
      name: options.name,
      ...values,
      env: context.host.env,
      noPull: options.pull === false,
      platform: options.platform,
      rootfs: options.rootfs === undefined ? undefined : resolve(options.rootfs),
      runtime: options.runtime,
      planOnly: options.plan === true,
      enable: options.enable !== false,
      start: options.start === true,
      allowHostPaths: options.allowHostPath ?? [],
      keepExisting: options.keepExisting === true,
      filter,
      withDependencies: options.withDependencies === true,
      onCalendar,
      beforeInstall: async (deployment) => {
        if (runsOnce(host, deployment, options))
          oneRun = scope.use(await beginOneRun(host, deployment.name));
      },
      onProgress: display.onProgress,
    });
    display[Symbol.dispose]();
    if (oneRun !== undefined) {
      const { runAndRemove } = await import('./run.js');
      const deployment = await getContainer(host.paths, outcome.plan.name);
      await runAndRemove(context, host, { deployment, command: [], tty: false, oneRun });
      return;
    }
    printResult(context, options, {
      of: 'install',
      json: outcome,
      text: options.plan === true ? formatPlan(outcome.plan) : formatOutcome(outcome, options),
    });
  });
}

async function readTimes({ onCalendar }: InstallOptions): Promise<string | undefined> {
  if (onCalendar === undefined) return undefined;
  const { findCalendarProblem } = await import('../../systemd/calendar-spec.js');
  const { OperationalError } = await import('../../errors/operational-error.js');
  const { quote } = await import('../../base/escape-text.js');
  const wrong = findCalendarProblem(onCalendar);
  if (wrong === undefined) return onCalendar;
  throw new OperationalError('USAGE', `--on-calendar ${wrong}, got ${quote(onCalendar)}`);
}

function runsOnce(host: Host, deployment: Deployment, { start }: InstallOptions): boolean {
  return start !== true && host.paths.root === '' && asksToRunOnce(deployment);
}

function formatOutcome(outcome: InstallOutcome, options: CommonOptions & InstallOptions): string {
  const { plan } = outcome;
  if (plan.action === 'nothing') {
    const start = options.start === true ? `  if it does not run: berth start ${plan.name}\n` : '';
    return `${plan.name} is installed already, nothing changed\n${start}`;
  }
  const lines = [...plan.installs, plan].flatMap(describeInstalled);
  const activators = activatorsIn(plan);
  if (outcome.started)
    lines.push(
      ...(activators.length > 0 ? activators : [`${plan.name}.service`]).map(
        (unit) => `  ${unit} ${outcome.ended === true ? NOT_ACTIVE : 'is active'}`,
      ),
    );
  else if (plan.files.some((file) => file.role === 'unit') && options.root === undefined) {
    const systemctl = options.user === true ? 'systemctl --user' : 'systemctl';
    lines.push(
      plan.name.endsWith('@')
        ? `  start an instance with: ${systemctl} start ${plan.name}INSTANCE`
        : `  start it with: ${[systemctl, 'start', ...(activators.length > 0 ? activators : [plan.name])].join(' ')}`,
    );
  }
  if (options.user === true && options.enable !== false && !lingers())
    lines.push("  it starts when you log in; for a start at boot: 'loginctl enable-linger'");
  return `${lines.join('\n')}\n`;
}

const NOT_ACTIVE = 'is not active: its work is done, or a condition of its unit is not met';

/** Names of the units that start the service. */
function activatorsIn({ files }: InstallPlan): readonly string[] {
  return files
    .filter(({ role, path }) => role === 'unit' && !path.endsWith('.service'))
    .map(({ path }) => basename(path));
}

/** Whether the user's service manager runs without a session, from the boot on. */
function lingers(): boolean {
  try {
    return existsSync(join('/var/lib/systemd/linger', userInfo().username));
  } catch {
    return true; // a user of no name, for whom there is nothing to recommend
  }
}

function describeInstalled(plan: InstallPlan): readonly string[] {
  const created = plan.files.filter(
    (file) => file.role === 'host-file' && file.kind !== 'directory' && file.state === 'new',
  );
  return [
    `${plan.name} installed from ${plan.image.reference}`,
    ...created.map((file) => `  created ${file.path}`),
  ];
}
