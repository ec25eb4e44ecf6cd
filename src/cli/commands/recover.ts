import { Option, type Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';
import { NOTHING_CHANGED } from '../output/nothing-changed.js';

/** `berth recover`. */
export function recoverCommand(context: CliContext): Command {
  return defineCommand<{ boot?: boolean; plan?: boolean }>(
    {
      name: 'recover',
      summary: 'finish or undo what an interrupted command left',
      options: [
        new Option('--plan', 'show what would be finished or taken back, and change nothing'),
        new Option('--boot', 'as berth-recover.service does it: nothing is waited for or watched'),
      ],
      examples: ['berth recover --plan', 'berth recover'],
      notes: 'Every command that changes a container does this for that container by itself.',
    },
    async ({ options }) => {
      const { withHost } = await import('../open-host.js');
      const { recoverAll, startRecovered } = await import('../../containers/recover-all.js');
      const { printResult } = await import('../output/print.js');
      const early = options.boot === true;
      await withHost(context, { ...options, early, lenient: true }, async (host) => {
        if (options.plan === true) {
          const { planRecovery } = await import('../../containers/plan-recovery.js');
          const planned = await planRecovery(host);
          const lines = planned.map(
            ({ name, operation, action }) => `would ${action} the ${operation} of ${name}\n`,
          );
          printResult(context, options, {
            of: 'recover',
            json: { planned },
            text:
              planned.length === 0
                ? 'nothing was interrupted\n'
                : `${lines.join('')}${NOTHING_CHANGED}\n`,
          });
          return;
        }
        const recovered = await recoverAll(host, { atBoot: early });
        if (early) await startRecovered(host, recovered);
        printResult(context, options, {
          of: 'recover',
          json: { recovered },
          text:
            recovered.length === 0
              ? 'nothing was interrupted\n'
              : recovered.map((name) => `recovered ${name}\n`).join(''),
        });
      });
    },
    context,
  );
}
