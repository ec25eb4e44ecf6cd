import { Option, type Command } from 'commander';

import { escapeText } from '../../base/escape-text.js';
import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

/** `berth uninstall NAME…`. */
export function uninstallCommand(context: CliContext): Command {
  return defineCommand<{ purge?: boolean; force?: boolean }>(
    {
      name: 'uninstall',
      summary: 'stop containers and remove them from the host',
      args: [{ syntax: '<name...>', description: 'names of installed containers' }],
      options: [
        new Option('--purge', 'remove the folders in which they kept their state, too'),
        new Option('-f, --force', 'also containers that others require'),
      ],
      examples: ['berth uninstall etcd', 'berth uninstall --purge etcd'],
      notes:
        'Host files that you changed stay and are named. The image stays in the store, so that\ninstalling again needs no network.',
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { orderForUninstall, uninstall } = await import('../../containers/uninstall.js');
      const { printResult } = await import('../output/print.js');
      await withHost(context, options, async (host) => {
        for (const name of await orderForUninstall(host, args)) {
          const result = await uninstall(host, name, {
            purge: options.purge === true,
            force: options.force === true,
            alongWith: args,
          });
          const lines = [
            `${name} uninstalled`,
            ...result.kept.map((path) => `  kept ${escapeText(path)}: it was changed on this host`),
            ...result.saved.map(
              (path) => `  kept ${escapeText(path)}: it was changed on this host`,
            ),
            ...result.statePaths.map((path) => `  kept ${escapeText(path)}: ${whyKept(options)}`),
          ];
          printResult(context, options, { json: result, text: `${lines.join('\n')}\n` });
        }
      });
    },
    context,
  );
}

function whyKept({ purge }: { readonly purge?: boolean }): string {
  return purge === true
    ? 'another container uses it, or a link stands on the way to it'
    : 'the state of the container, which is yours to remove';
}
