import { Option, type Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';
import { hideArguments, registryOptions, type RegistryOptionValues } from '../registry-options.js';

interface FsckOptions extends RegistryOptionValues {
  readonly repair?: boolean;
  readonly plan?: boolean;
}

/** `berth fsck [--repair]`. */
export function fsckCommand(context: CliContext): Command {
  return defineCommand<FsckOptions>(
    {
      name: 'fsck',
      summary: 'check every object, layer and image of the store, and every deployment',
      options: [
        new Option('--repair', 'fetch what is damaged again, and put it in its place'),
        new Option(
          '--plan',
          'with --repair: show what would be fetched and mended, and change nothing',
        ),
        ...registryOptions(),
      ],
      examples: ['berth fsck', 'berth fsck --repair --plan', 'berth fsck --repair'],
      notes:
        'Repairing fetches the layers that have something damaged, and no others, from where their image came from. Files of\n' +
        'checkouts are exchanged one by one, while their services run. Files that no image has are left alone and named.\n' +
        'Exits with 1 if something is wrong, or still wrong after repairing.',
    },
    async ({ options }) => {
      hideArguments(options);
      const { withHost } = await import('../open-host.js');
      const { printResult } = await import('../output/print.js');
      const { formatCheck, formatRepair } = await import('../output/format-check.js');
      const { CommandExit } = await import('../command-exit.js');
      const { OperationalError } = await import('../../errors/operational-error.js');
      if (options.plan === true && options.repair !== true)
        throw new OperationalError(
          'USAGE',
          "'--plan' is of '--repair': berth fsck alone changes nothing",
        );
      await withHost(context, options, async (host) => {
        if (options.repair !== true) {
          const { checkHost } = await import('../../containers/check-host.js');
          const check = await checkHost(host);
          printResult(context, options, { of: 'fsck', json: check, text: formatCheck(check) });
          if (check.problems.length + check.checkouts.length > 0) throw new CommandExit(1);
          return;
        }
        if (options.plan === true) {
          const { planRepair } = await import('../../containers/plan-repair.js');
          const { formatRepairPlan } = await import('../output/format-check.js');
          const plan = await planRepair(host);
          printResult(context, options, { of: 'fsck', json: plan, text: formatRepairPlan(plan) });
          if (plan.found.problems.length + plan.found.checkouts.length > 0)
            throw new CommandExit(1);
          return;
        }
        const { repairHost } = await import('../../containers/repair-host.js');
        const { pullDisplay } = await import('../pull-display.js');
        using display = pullDisplay(context, options);
        const repair = await repairHost(host, { onProgress: display.onProgress });
        display[Symbol.dispose]();
        printResult(context, options, { of: 'fsck', json: repair, text: formatRepair(repair) });
        const { left } = repair;
        if (left.problems.length + left.checkouts.length > 0) throw new CommandExit(1);
      });
    },
    context,
  );
}
