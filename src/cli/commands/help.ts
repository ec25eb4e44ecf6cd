import { Command } from 'commander';

import { quote } from '../../base/escape-text.js';
import { suggestName } from '../../base/suggest-name.js';
import { OperationalError } from '../../errors/operational-error.js';
import { HELP_COMMAND_WORDS } from '../program-words.js';

/** `berth help [COMMAND…]`: commander's own takes a name that it does not know for none. */
export function helpCommand(program: Command): Command {
  return new Command(HELP_COMMAND_WORDS.name)
    .description(HELP_COMMAND_WORDS.summary)
    .argument(HELP_COMMAND_WORDS.usage)
    .helpOption(false)
    .action((names: readonly string[]) => {
      names.reduce(findIn, program).outputHelp();
    });
}

function findIn(group: Command, name: string): Command {
  const found = group.commands.find((command) => command.name() === name);
  if (found !== undefined) return found;
  const path = group.parent === null ? '' : `${group.name()} `;
  const near = suggestName(
    name,
    group.commands.map((command) => command.name()),
  );
  throw new OperationalError('USAGE', `unknown command ${quote(`${path}${name}`)}`, {
    hint: near === undefined ? `see 'berth ${path}--help'` : `did you mean '${path}${near}'?`,
  });
}
