import type { Command } from 'commander';

import type { VerifyReport } from '../../containers/verify/verify-container.js';
import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

/** `berth verify [NAME…]`. */
export function verifyCommand(context: CliContext): Command {
  return defineCommand(
    {
      name: 'verify',
      summary: 'compare installed containers with what was installed',
      args: [
        { syntax: '[name...]', description: 'names of installed containers; all unless given' },
      ],
      examples: ['berth verify', 'berth verify etcd', 'berth verify --json etcd'],
      notes:
        'Looks at units, drop-ins, tmpfiles lines, config.json, launch plan, launcher, host files, whether the unit is\n' +
        "enabled or masked, and every file of the root. An administrator's own drop-ins are noted and are no drift.\n" +
        'Changes nothing. Exits with 1 if something drifted.',
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { forEachName } = await import('../for-each-name.js');
      const { verifyAll, verifyContainer } =
        await import('../../containers/verify/verify-container.js');
      const { printResult } = await import('../output/print.js');
      const { formatVerify } = await import('../output/format-verify.js');
      const { CommandExit } = await import('../command-exit.js');
      await withHost(context, options, async (host) => {
        const each = await forEachName({ context, options, host }, args, (name) =>
          verifyContainer(host, name),
        );
        const reports: readonly VerifyReport[] =
          args.length === 0 ? await verifyAll(host) : each.results;
        printResult(context, options, {
          of: 'verify',
          json: reports,
          text:
            args.length === 0 && reports.length === 0
              ? 'no containers are installed\n'
              : reports.map((report) => formatVerify(report, options)).join(''),
        });
        each.end();
        if (reports.some(({ ok }) => !ok)) throw new CommandExit(1);
      });
    },
    context,
  );
}
