import type { Command } from 'commander';

import type { UnitVerb } from '../../containers/unit-verbs.js';
import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

const DONE = {
  start: 'started',
  stop: 'stopped',
  restart: 'restarted',
} as const satisfies Readonly<Record<UnitVerb, string>>;

/** `berth start|stop|restart NAME…`. */
export function unitVerbCommand(verb: UnitVerb, context: CliContext): Command {
  return defineCommand(
    {
      name: verb,
      summary: `${verb} containers and wait until systemd has done it`,
      args: [{ syntax: '<name...>', description: 'names of installed containers' }],
      examples: [`berth ${verb} etcd`],
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { runUnitVerb } = await import('../../containers/unit-verbs.js');
      const { forEachName } = await import('../for-each-name.js');
      const { printResult, printStep } = await import('../output/print.js');
      await withHost(context, options, async (host) => {
        const action = DONE[verb];
        const each = await forEachName({ context, options, host }, args, async (name) => {
          const leftDown = await runUnitVerb(host, verb, name);
          printStep(context, options, `${name} ${action}\n`);
          return { name, action, ...(leftDown.length > 0 && { leftDown }) };
        });
        printResult(context, options, { of: verb, json: each.results, text: '' });
        each.end();
      });
    },
    context,
  );
}
