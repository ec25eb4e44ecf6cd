import { Option, type Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';
import { parseDeploymentNumber } from '../deployment-number.js';

/** `berth rollback NAME`. */
export function rollbackCommand(context: CliContext): Command {
  return defineCommand<{ to?: string; wait?: boolean }>(
    {
      name: 'rollback',
      summary: 'go back to an earlier deployment of a container',
      args: [{ syntax: '<name>', description: 'name of an installed container' }],
      options: [
        new Option('--to <number>', 'the deployment to go to; the one before unless given'),
        new Option('--no-wait', 'do not wait to see whether it stays well'),
      ],
      examples: ['berth rollback etcd', 'berth rollback --to 0 etcd'],
      notes:
        'Everything comes from this host: no registry is asked. The image that is left is not updated to\nagain by itself.',
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { rollback } = await import('../../containers/rollback.js');
      const { keptDeployments } = await import('../../config/keep-deployments.js');
      const { printResult } = await import('../output/print.js');
      const { formatUpdate } = await import('../output/format-update.js');
      const to = options.to === undefined ? undefined : parseDeploymentNumber(options.to);
      await withHost(context, options, async (host) => {
        const outcome = await rollback(host, args[0] ?? '', {
          to,
          watch: options.wait !== false,
          keepDeployments: keptDeployments(context.host.env),
        });
        const text =
          outcome.action === 'nothing'
            ? `${outcome.name} is at deployment ${outcome.to.number} already, nothing changed\n`
            : formatUpdate(outcome, 'rolled back');
        printResult(context, options, { json: outcome, text });
      });
    },
    context,
  );
}
