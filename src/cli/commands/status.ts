import type { Command } from 'commander';

import { isWaiting } from '../../containers/activators.js';
import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

/** `berth status [NAME…]`. */
export function statusCommand(context: CliContext): Command {
  return defineCommand(
    {
      name: 'status',
      summary: 'show what systemd says of containers',
      args: [
        { syntax: '[name...]', description: 'names of installed containers; all unless given' },
      ],
      examples: ['berth status etcd', 'berth status --json etcd'],
      notes:
        'Exits with 3 if a container that was named is not active, as systemctl does. One that waits for its socket, timer or path\nis.',
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { getContainerStatuses } = await import('../../containers/container-status.js');
      const { printResult } = await import('../output/print.js');
      const { CommandExit } = await import('../command-exit.js');
      const { forInstalled } = await import('../for-each-name.js');
      await withHost(context, options, async (host) => {
        const each = await forInstalled({ context, options, host }, args, (names) =>
          getContainerStatuses(host, names.length > 0 ? names : undefined),
        );
        const all = each.results;
        const { formatStatus } = await import('../output/format-status.js');
        const now = host.nowMs();
        printResult(context, options, {
          of: 'status',
          json: all,
          text:
            args.length === 0 && all.length === 0
              ? 'no containers are installed\n'
              : all.map((one) => formatStatus(one, now, options)).join('\n'),
        });
        each.end();
        const inactive = all.some(
          ({ state, activators }) =>
            state !== undefined && state.activeState !== 'active' && !isWaiting(state, activators),
        );
        if (args.length > 0 && inactive) throw new CommandExit(3);
      });
    },
    context,
  );
}
