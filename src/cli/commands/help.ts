import { Command } from 'commander';

import { quote } from '../../base/escape-text.js';
import { suggestName } from '../../base/suggest-name.js';
import { OperationalError } from '../../errors/operational-error.js';

/** `berth help [COMMAND]`: commander's own takes a name that it does not know for none. */
export function helpCommand(program: Command): Command {
  return new Command('help')
    .description('show the help of a command')
    .argument('[command]')
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
