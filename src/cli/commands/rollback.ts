import { Option, type Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';
import { parseDeploymentNumber } from '../deployment-number.js';

/** `berth rollback NAME`. */
export function rollbackCommand(context: CliContext): Command {
  return defineCommand<{ to?: string; wait?: boolean; plan?: boolean }>(
    {
      name: 'rollback',
      summary: 'go back to an earlier deployment of a container',
      args: [{ syntax: '<name>', description: 'name of an installed container, or @SET' }],
      options: [
        new Option('--to <number>', 'the deployment to go to; the one before unless given'),
        new Option('--plan', 'show what would change and change nothing'),
        new Option('--no-wait', 'do not wait to see whether it stays well'),
      ],
      examples: [
        'berth rollback etcd',
        'berth rollback --to 0 etcd',
        'berth rollback --plan @shop',
      ],
      notes:
        'Everything comes from this host: no registry is asked. The image that is left is not updated to\nagain by itself.',
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { rollback } = await import('../../containers/rollback.js');
      const { printResult } = await import('../output/print.js');
      const { rollbackSet } = await import('../../containers/rollback-set.js');
      const { setNameOf } = await import('../../containers/container-sets.js');
      const { formatSetUpdate, formatUpdate } = await import('../output/format-update.js');
      const { OperationalError } = await import('../../errors/operational-error.js');
      const to = options.to === undefined ? undefined : parseDeploymentNumber(options.to);
      await withHost(context, options, async (host) => {
        const [name = ''] = args;
        const request = {
          watch: options.wait !== false,
          keepDeployments: host.conf.deployments.keep,
          planOnly: options.plan === true,
        };
        const change = { how: 'rolled back', place: options } as const;
        const set = setNameOf(name);
        if (set !== undefined) {
          if (to !== undefined)
            throw new OperationalError(
              'USAGE',
              "'--to' is for one container: a set goes back one step",
            );
          const outcome = await rollbackSet(host, set, request);
          const text = formatSetUpdate(outcome, change);
          printResult(context, options, { of: 'rollback', json: outcome, text });
          return;
        }
        const outcome = await rollback(host, name, { ...request, to });
        const text =
          outcome.action === 'nothing'
            ? `${outcome.name} is at deployment ${outcome.to.number} already, nothing changed\n`
            : formatUpdate(outcome, change);
        printResult(context, options, { of: 'rollback', json: outcome, text });
      });
    },
    context,
  );
}
