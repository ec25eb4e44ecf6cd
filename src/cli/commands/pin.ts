import { Option, type Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';
import { parseDeploymentNumber } from '../deployment-number.js';

/** `berth pin NAME [NUMBER]`. */
export function pinCommand(context: CliContext): Command {
  return defineCommand<{ remove?: boolean }>(
    {
      name: 'pin',
      summary: 'keep a deployment of a container whatever comes after it',
      args: [
        { syntax: '<name>', description: 'name of an installed container' },
        { syntax: '[number]', description: 'the deployment; the current one unless given' },
      ],
      options: [new Option('--remove', 'unpin it; without a number, all of them')],
      examples: ['berth pin etcd 3', 'berth pin --remove etcd 3', 'berth pin --remove etcd'],
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { pin } = await import('../../containers/pin.js');
      const { printResult } = await import('../output/print.js');
      const [name = '', number] = args;
      const wanted = number === undefined ? undefined : parseDeploymentNumber(number);
      await withHost(context, options, async (host) => {
        const pinned = await pin(host, name, { number: wanted, remove: options.remove === true });
        const text =
          pinned.length === 0
            ? `${name} has no pinned deployment\n`
            : `pinned of ${name}: ${pinned.join(', ')}\n`;
        printResult(context, options, { of: 'pin', json: { name, pinned }, text });
      });
    },
    context,
  );
}
