import { Option, type Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

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
        new Option('--mode <mode>', 'off, check, download or apply'),
        new Option(
          '--tags <pattern>',
          "a tag, or versions such as 3.5.x, ^3.5, ~3.5.1; '' for none",
        ),
        new Option('--window <times>', "when to apply, such as 22:00-04:00; '' for always"),
        new Option(
          '--new-permissions <what>',
          'hold a version that may do more than the installed one, or allow it',
        ),
        new Option('--enable-timer', 'have systemd run berth auto-update every hour'),
        new Option('--disable-timer', 'no longer'),
      ],
      examples: [
        'berth policy etcd --mode apply --tags 3.5.x --window 02:00-05:00',
        'berth policy --enable-timer',
        'berth policy etcd',
      ],
    },
    async ({ args, options }) => {
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
      if ((name === undefined && (timer === undefined || changes)) || (enableTimer && disableTimer))
        throw new OperationalError('USAGE', 'give the name of a container, or a timer option');
      await withHost(context, options, async (host) => {
        assertPrivileged(host);
        if (timer !== undefined) {
          await setUpdateTimer(host, timer);
          if (name === undefined) {
            printResult(context, options, {
              of: 'policy',
              json: { timer },
              text: `berth-update.timer is ${timer ? 'enabled' : 'disabled'}\n`,
            });
            return;
          }
        }
        if (name === undefined) throw new Error('internal error: neither a name nor a timer');
        await getContainer(host.paths, name);
        const policy = changes ? await setPolicy(host, name, change) : await readPolicy(host, name);
        printResult(context, options, {
          of: 'policy',
          json: { name, ...policy },
          text: `${name}: mode ${policy.mode}, tags ${policy.tags ?? '(as installed)'}, window ${policy.window ?? '(always)'}, new permissions ${policy.newPermissions}\n`,
        });
      });
    },
    context,
  );
}
