import type { Command } from 'commander';

import type { UnitVerb } from '../../containers/unit-verbs.js';
import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

const DONE: Readonly<Record<UnitVerb, string>> = {
  start: 'started',
  stop: 'stopped',
  restart: 'restarted',
};

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
      const { printResult } = await import('../output/print.js');
      await withHost(context, options, async (host) => {
        for (const name of args) {
          await runUnitVerb(host, verb, name);
          printResult(context, options, {
            json: { name, [DONE[verb]]: true },
            text: `${name} ${DONE[verb]}\n`,
          });
        }
      });
    },
    context,
  );
}
