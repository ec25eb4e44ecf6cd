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
      const { lookAgain } = await import('../../containers/second-look.js');
      const { withContext } = await import('../../errors/with-context.js');
      const { forEachName } = await import('../for-each-name.js');
      const { printResult, printStep } = await import('../output/print.js');
      await withHost(context, options, async (host) => {
        const action = DONE[verb];
        const say = (name: string): void => {
          printStep(context, options, `${name} ${action}\n`);
        };
        const call = { context, options, host };
        const before = await forEachName(call, [...new Set(args)], async (name) => {
          const outcome = await runUnitVerb(host, verb, name);
          if (outcome.fresh === undefined) say(name);
          return { name, ...outcome };
        });
        const done = new Map(before.results.map((result) => [result.name, result]));
        // All of them at the end: what one is given to fail passes while the next is started.
        const each = await forEachName({ ...call, before }, [...done.keys()], async (name) => {
          const { leftDown = [], fresh } = done.get(name) ?? {};
          if (fresh !== undefined) {
            await withContext(`'${name}' did not stay up`, () => lookAgain(host, fresh));
            say(name);
          }
          return { name, action, ...(leftDown.length > 0 && { leftDown }) };
        });
        printResult(context, options, { of: verb, json: each.results, text: '' });
        each.end();
      });
    },
    context,
  );
}
