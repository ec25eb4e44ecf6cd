import { Command } from 'commander';

import type { ContainerSet } from '../../containers/container-sets.js';
import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

/** `berth sets list|create|show|delete`. */
export function setsCommand(context: CliContext): Command {
  const summary = 'containers that change versions together';
  return new Command('sets')
    .summary(summary)
    .description(summary)
    .addHelpText(
      'after',
      '\nExamples:\n  berth sets create shop web db\n  berth update @shop\n  berth rollback @shop',
    )
    .addCommand(listSets(context))
    .addCommand(makeSet(context))
    .addCommand(showSet(context))
    .addCommand(forgetSet(context));
}

function listSets(context: CliContext): Command {
  return defineCommand(
    { name: 'list', summary: 'list the sets', examples: ['berth sets list'] },
    async ({ options }) => {
      const { withHost } = await import('../open-host.js');
      const { listSetNames, readSet } = await import('../../containers/container-sets.js');
      const { OperationalError } = await import('../../errors/operational-error.js');
      const { printResult } = await import('../output/print.js');
      await withHost(context, options, async (host) => {
        const sets: ContainerSet[] = [];
        for (const name of await listSetNames(host.paths)) {
          try {
            sets.push(await readSet(host.paths, name));
          } catch (error) {
            if (!(error instanceof OperationalError)) throw error;
            // One that was deleted meanwhile is none.
            if (error.code === 'SET_NOT_FOUND') continue;
            const text = `cannot read '@${name}', leaving it out: ${error.message}`;
            host.onEvent({ kind: 'warning', text });
          }
        }
        printResult(context, options, {
          of: 'sets list',
          json: sets,
          text:
            sets.length === 0
              ? 'there are no sets\n'
              : sets.map(({ name, members }) => `@${name}: ${members.join(' ')}\n`).join(''),
        });
      });
    },
    context,
  );
}

function makeSet(context: CliContext): Command {
  return defineCommand(
    {
      name: 'create',
      summary: 'make a set of installed containers',
      args: [
        { syntax: '<name>', description: 'name of the set; @NAME means it elsewhere' },
        { syntax: '<container...>', description: 'names of installed containers' },
      ],
      examples: ['berth sets create shop web db'],
      notes: 'They start in this order where their dependencies do not say otherwise.',
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { createSet } = await import('../../containers/change-sets.js');
      const { printResult } = await import('../output/print.js');
      const [name = '', ...members] = args;
      await withHost(context, options, async (host) => {
        const set = await createSet(host, name.replace(/^@/, ''), members);
        const text = `@${set.name}: ${set.members.join(' ')}\n`;
        printResult(context, options, { of: 'sets create', json: set, text });
      });
    },
    context,
  );
}

function showSet(context: CliContext): Command {
  return defineCommand(
    {
      name: 'show',
      summary: 'show the containers of a set, and where rolling it back goes',
      args: [{ syntax: '<name>', description: 'name of a set' }],
      examples: ['berth sets show shop'],
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { readSet } = await import('../../containers/container-sets.js');
      const { findContainer } = await import('../../containers/container-directory.js');
      const { printResult } = await import('../output/print.js');
      const { formatTable } = await import('../output/table.js');
      await withHost(context, options, async (host) => {
        const set = await readSet(host.paths, (args[0] ?? '').replace(/^@/, ''));
        const members: { name: string; current: number | null; previous: number | null }[] = [];
        for (const name of set.members) {
          const current = (await findContainer(host.paths, name))?.number ?? null;
          members.push({ name, current, previous: set.previous.get(name) ?? null });
        }
        const rows = members.map(({ name, current, previous }) => [
          name,
          String(current ?? 'not installed'),
          String(previous ?? '-'),
        ]);
        const text = formatTable(['NAME', 'CURRENT', 'PREVIOUS'], rows);
        printResult(context, options, { of: 'sets show', json: { name: set.name, members }, text });
      });
    },
    context,
  );
}

function forgetSet(context: CliContext): Command {
  return defineCommand(
    {
      name: 'delete',
      summary: 'forget a set; its containers stay as they are',
      args: [{ syntax: '<name>', description: 'name of a set' }],
      examples: ['berth sets delete shop'],
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { deleteSet } = await import('../../containers/change-sets.js');
      const { printResult } = await import('../output/print.js');
      const name = (args[0] ?? '').replace(/^@/, '');
      await withHost(context, options, async (host) => {
        await deleteSet(host, name);
        printResult(context, options, {
          of: 'sets delete',
          json: { deleted: name },
          text: `@${name} deleted\n`,
        });
      });
    },
    context,
  );
}
