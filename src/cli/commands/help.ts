import { Command } from 'commander';

import { quote } from '../../base/escape-text.js';
import { suggestName } from '../../base/suggest-name.js';
import { OperationalError } from '../../errors/operational-error.js';
import { HELP_COMMAND_WORDS } from '../program-words.js';

/** `berth help [COMMAND]`: commander's own takes a name that it does not know for none. */
export function helpCommand(program: Command): Command {
  return new Command(HELP_COMMAND_WORDS.name)
    .description(HELP_COMMAND_WORDS.summary)
    .argument(HELP_COMMAND_WORDS.usage)
    .helpOption(false)
    .action((name: string | undefined) => {
      const found =
        name === undefined ? program : program.commands.find((command) => command.name() === name);
      if (found === undefined) throw unknown(name ?? '', program);
      found.outputHelp();
    });
}

function unknown(name: string, program: Command): OperationalError {
  const near = suggestName(
    name,
    program.commands.map((command) => command.name()),
  );
  return new OperationalError('USAGE', `unknown command ${quote(name)}`, {
    hint: near === undefined ? "see 'berth --help'" : `did you mean '${near}'?`,
  });
}
