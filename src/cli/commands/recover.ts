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
        new Option('--boot', 'start and watch nothing: for a unit that others wait for at boot'),
      ],
      examples: ['berth recover'],
      notes: 'Every command that changes a container does this for that container by itself.',
    },
    async ({ options }) => {
      const { withHost } = await import('../open-host.js');
      const { recoverAll } = await import('../../containers/recover-all.js');
      const { printResult } = await import('../output/print.js');
      await withHost(context, options, async (host) => {
        const recovered = await recoverAll(host, { atBoot: options.boot === true });
        printResult(context, options, {
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
