import { Option, type Command } from 'commander';

import { escapeText } from '../../base/escape-text.js';
import type { AdoptOutcome } from '../../containers/adopt/adopt.js';
import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';
import { NOTHING_CHANGED } from '../output/nothing-changed.js';

/** `berth adopt NAME…`. */
export function adoptCommand(context: CliContext): Command {
  return defineCommand<{ all?: boolean; plan?: boolean }>(
    {
      name: 'adopt',
      summary: 'take over containers that atomic installed, while they run',
      args: [{ syntax: '[name...]', description: "names of atomic's system containers" }],
      options: [
        new Option('--all', 'adopt all of them; goes on where one fails'),
        new Option('--plan', 'show what would be taken over, and change nothing'),
      ],
      examples: ['berth adopt --plan --all', 'berth adopt etcd', 'berth adopt --json --all'],
      notes:
        'Nothing is stopped, started or rewritten: units and files stay as they are. The first update moves a container\n' +
        "onto berth's own checkout and runtime. Do not use atomic on it any more.",
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { adopt } = await import('../../containers/adopt/adopt.js');
      const { listForerunnerNames } = await import('../../containers/adopt/find-forerunner.js');
      const { OperationalError } = await import('../../errors/operational-error.js');
      const { forEachName } = await import('../for-each-name.js');
      const { printResult } = await import('../output/print.js');
      if (args.length > 0 === (options.all === true))
        throw new OperationalError('USAGE', "give names of containers, or '--all'");
      const { assertForSystem } = await import('../../containers/preflight.js');
      await withHost(context, options, async (host) => {
        if (options.user === true) assertForSystem(host, 'taking over what atomic installed');
        const names = options.all === true ? await listForerunnerNames(host.paths) : args;
        const each = await forEachName({ context, options, host }, names, (name) =>
          adopt(host, name, { planOnly: options.plan === true }),
        );
        const text = each.results.map(formatOutcome).join('');
        printResult(context, options, {
          of: 'adopt',
          json: each.results,
          text:
            names.length === 0
              ? 'atomic has no containers here\n'
              : options.plan === true
                ? `${text}${NOTHING_CHANGED}\n`
                : text,
        });
        each.end();
      });
    },
    context,
  );
}

function formatOutcome({ name, action, from, files, ostreeCommit }: AdoptOutcome): string {
  if (action === 'nothing') return `${name} was adopted already, nothing changed\n`;
  const commit =
    ostreeCommit === undefined
      ? ''
      : `  its image stays in atomic's OSTree repository: commit ${escapeText(ostreeCommit)}\n`;
  if (action === 'planned') {
    const own = files.map((path) => `  ${escapeText(path)}\n`).join('');
    return `${name} would be adopted from ${escapeText(from)}, with these files as they are\n${own}${commit}`;
  }
  return `${name} adopted from ${escapeText(from)}\n${commit}`;
}
