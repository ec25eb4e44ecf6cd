import { Option, type Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

/** `berth recover`. */
export function recoverCommand(context: CliContext): Command {
  return defineCommand<{ boot?: boolean }>(
    {
      name: 'recover',
      summary: 'finish or undo what an interrupted command left',
      options: [
        new Option('--boot', 'as berth-recover.service does it: nothing is waited for or watched'),
      ],
      examples: ['berth recover'],
      notes: 'Every command that changes a container does this for that container by itself.',
    },
    async ({ options }) => {
      const { withHost } = await import('../open-host.js');
      const { recoverAll, startRecovered } = await import('../../containers/recover-all.js');
      const { printResult } = await import('../output/print.js');
      const early = options.boot === true;
      await withHost(context, { ...options, early, lenient: true }, async (host) => {
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
