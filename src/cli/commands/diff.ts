import type { Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

/** `berth diff A B`. */
export function diffCommand(context: CliContext): Command {
  const description = 'a container, one of its deployments (NAME.N), or an image in the store';
  return defineCommand(
    {
      name: 'diff',
      summary: 'show how two images, containers or deployments differ',
      args: [
        { syntax: '<before>', description },
        { syntax: '<after>', description },
      ],
      examples: ['berth diff etcd.0 etcd.1', 'berth diff etcd registry.example/etcd:3.6'],
      notes:
        'Compares files, packages (dpkg, apk, rpm), configuration, units, variables, labels and permissions.\n' +
        'Times of modification do not count. Nothing is fetched: pull the image first.',
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { openDifferenceSide } = await import('../../containers/difference-sides.js');
      const { describeDifference } = await import('../../containers/describe-difference.js');
      const { formatDifference } = await import('../output/format-difference.js');
      const { printResult } = await import('../output/print.js');
      await withHost(context, options, async (host) => {
        using before = await openDifferenceSide(host, args[0] ?? '');
        using after = await openDifferenceSide(host, args[1] ?? '');
        const difference = await describeDifference(before, after, { signal: host.signal });
        printResult(context, options, {
          of: 'diff',
          json: difference,
          text: formatDifference(difference),
        });
      });
    },
    context,
  );
}
