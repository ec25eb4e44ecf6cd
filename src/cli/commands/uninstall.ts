import { Option, type Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

/** `berth uninstall NAME…`; `containers delete` in the forerunner's spelling. */
export function uninstallCommand(context: CliContext, name = 'uninstall'): Command {
  return defineCommand<{ purge?: boolean; force?: boolean; plan?: boolean }>(
    {
      name,
      summary: 'stop containers and remove them from the host',
      args: [{ syntax: '<name...>', description: 'names of installed containers' }],
      options: [
        new Option('--purge', 'remove the folders in which they kept their state, too'),
        new Option('-f, --force', 'also containers that others require'),
        new Option('--plan', 'show what would be removed and kept, and change nothing'),
      ],
      examples: [
        'berth uninstall etcd',
        'berth uninstall --plan etcd',
        'berth uninstall --purge etcd',
      ],
      notes:
        'Host files that you changed stay and are named. The image stays in the store, so that\ninstalling again needs no network.',
    },
    async ({ args, options, context }) => {
      const { withHost } = await import('../open-host.js');
      const { orderForUninstall, uninstall } = await import('../../containers/uninstall.js');
      const { planUninstall } = await import('../../containers/plan-uninstall.js');
      const { formatUninstall, formatUninstallPlan } =
        await import('../output/format-uninstall.js');
      const { findUsedByOthers } = await import('../../containers/used-by-others.js');
      const { forEachName } = await import('../for-each-name.js');
      const { printResult, printStep } = await import('../output/print.js');
      await withHost(context, options, async (host) => {
        const purge = options.purge === true;
        const how = { purge, force: options.force === true, alongWith: args };
        const names = await orderForUninstall(host, args);
        const each = await forEachName({ context, options, host }, names, async (name) => {
          if (options.plan === true) {
            const plan = await planUninstall(host, name, how);
            printStep(context, options, formatUninstallPlan(plan));
            return plan;
          }
          const result = await uninstall(host, name, how);
          const isUsedByOthers = await findUsedByOthers(host, name);
          printStep(context, options, formatUninstall(result, { purge, isUsedByOthers }));
          return result;
        });
        printResult(context, options, { of: 'uninstall', json: each.results, text: '' });
        each.end();
      });
    },
    context,
  );
}
