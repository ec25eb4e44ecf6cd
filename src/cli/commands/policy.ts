import { Option, type Command } from 'commander';

import type { Host } from '../../containers/host.js';
import type { UpdatePolicy } from '../../containers/update-policy.js';
import type { CliContext } from '../context.js';
import { defineCommand, type CommandCall } from '../define-command.js';

interface PolicyOptions {
  readonly mode?: string;
  readonly tags?: string;
  readonly window?: string;
  readonly newPermissions?: string;
  readonly enableTimer?: boolean;
  readonly disableTimer?: boolean;
}

/** `berth policy [NAME]`. */
export function policyCommand(context: CliContext): Command {
  return defineCommand<PolicyOptions>(
    {
      name: 'policy',
      summary: 'say how the timer updates a container',
      args: [{ syntax: '[name]', description: 'name of an installed container' }],
      options: [
        new Option('--mode <mode>', 'what it does where there is something new').choices([
          'off',
          'check',
          'download',
          'apply',
        ]),
        new Option(
          '--tags <pattern>',
          "a tag, or versions such as 3.5.x, ^3.5, ~3.5.1; '' for none",
        ),
        new Option('--window <times>', "when to apply, such as 22:00-04:00; '' for always"),
        new Option(
          '--new-permissions <what>',
          'hold a version that may do more than the installed one, or allow it',
        ).choices(['hold', 'allow']),
        new Option('--enable-timer', 'have systemd run berth auto-update every hour'),
        new Option('--disable-timer', 'no longer'),
      ],
      examples: [
        'berth policy',
        'berth policy etcd --mode apply --tags 3.5.x --window 02:00-05:00',
        'berth policy --enable-timer',
        'berth policy etcd',
      ],
      notes: 'Without a name and an option all policies are listed.',
    },
    runPolicy,
    context,
  );
}

async function runPolicy({ args, options, context }: CommandCall<PolicyOptions>): Promise<void> {
  const { withHost } = await import('../open-host.js');
  const { readPolicy, setPolicy } = await import('../../containers/update-policy.js');
  const { setUpdateTimer } = await import('../../containers/update-timer.js');
  const { getContainer } = await import('../../containers/container-directory.js');
  const { assertPrivileged } = await import('../../containers/preflight.js');
  const { OperationalError } = await import('../../errors/operational-error.js');
  const { printResult } = await import('../output/print.js');
  const { mode, tags, window, newPermissions, enableTimer, disableTimer } = options;
  const change = { mode, tags, window, newPermissions };
  const [name] = args;
  const timer = enableTimer === true ? true : disableTimer === true ? false : undefined;
  const changes = Object.values(change).some((value) => value !== undefined);
  if (name === undefined && changes)
    throw new OperationalError('USAGE', 'give the name of the container whose policy it is to be');
  if (enableTimer === true && disableTimer === true)
    throw new OperationalError(
      'USAGE',
      "'--enable-timer' and '--disable-timer' do not go together",
    );
  await withHost(context, options, async (host) => {
    assertPrivileged(host);
    if (timer !== undefined) await setUpdateTimer(host, timer);
    if (name === undefined) {
      if (timer === undefined) await listPolicies(host, { context, options });
      else
        printResult(context, options, {
          of: 'policy',
          json: { timer },
          text: `berth-update.timer is ${timer ? 'enabled' : 'disabled'}\n`,
        });
      return;
    }
    await getContainer(host.paths, name);
    const policy = changes ? await setPolicy(host, name, change) : await readPolicy(host, name);
    const { mode: kind, newPermissions: permissions } = policy;
    printResult(context, options, {
      of: 'policy',
      json: { name, ...policy },
      text: `${name}: mode ${kind}, tags ${tagsOf(policy)}, window ${windowOf(policy)}, new permissions ${permissions}\n`,
    });
    if (kind !== 'off') await tellOfTimer(host);
  });
}

async function listPolicies(
  host: Host,
  { context, options }: Pick<CommandCall<PolicyOptions>, 'context' | 'options'>,
): Promise<void> {
  const { readPolicy } = await import('../../containers/update-policy.js');
  const { isUpdateTimerEnabled } = await import('../../containers/update-timer.js');
  const { listContainerNames } = await import('../../containers/container-directory.js');
  const { printResult } = await import('../output/print.js');
  const { formatTable } = await import('../output/table.js');
  const timer = await isUpdateTimerEnabled(host);
  const containers = [];
  for (const name of await listContainerNames(host.paths))
    containers.push({ name, ...(await readPolicy(host, name)) });
  printResult(context, options, {
    of: 'policy',
    json: { timer, containers },
    text:
      containers.length === 0
        ? 'no containers are installed\n'
        : formatTable(
            ['NAME', 'MODE', 'TAGS', 'WINDOW', 'NEW PERMISSIONS'],
            containers.map((policy) => [
              policy.name,
              policy.mode,
              tagsOf(policy),
              windowOf(policy),
              policy.newPermissions,
            ]),
          ),
  });
  if (containers.some(({ mode }) => mode !== 'off')) await tellOfTimer(host);
}

function tagsOf({ tags }: UpdatePolicy): string {
  return tags ?? '(as installed)';
}

function windowOf({ window }: UpdatePolicy): string {
  return window ?? '(always)';
}

/** A policy by itself updates nothing; something else than berth's own timer may run berth auto-update, so that it is no warning. */
async function tellOfTimer(host: Host): Promise<void> {
  const { isUpdateTimerEnabled } = await import('../../containers/update-timer.js');
  if ((await isUpdateTimerEnabled(host)) !== false) return;
  const text = "berth-update.timer is not enabled: 'berth policy --enable-timer' enables it";
  host.onEvent({ kind: 'step', text });
}
