import { Command } from 'commander';

import { programVersion } from '../config/version.js';
import type { CliContext } from './context.js';
import { loadCommands } from './command-table.js';
import { helpCommand } from './commands/help.js';
import { commonOptions } from './define-command.js';
import { formatProgramHelp } from './program-help.js';
import { HELP_OPTION_WORDS, PROGRAM_DESCRIPTION, VERSION_OPTION_WORDS } from './program-words.js';

/**
 * The command line of berth: the command that `args` name with its options and help, or every command, where they name none or one
 * that is about all of them. What a command does is loaded when it is run.
 */
export async function createProgram(
  context: CliContext,
  args: readonly string[],
): Promise<Command> {
  const program = new Command('berth')
    .description(PROGRAM_DESCRIPTION)
    .version(programVersion(), ...VERSION_OPTION_WORDS)
    .helpOption(...HELP_OPTION_WORDS)
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.host.stdout.write(text),
      writeErr: () => undefined, // usage errors are printed by report-error, like all others
      outputError: () => undefined,
      getOutHasColors: () => false,
    });
  for (const option of commonOptions()) program.addOption(option);
  for (const command of await loadCommands(commandNameIn(args, program), context)) {
    program.addCommand(command.copyInheritedSettings(program));
    for (const sub of command.commands) sub.copyInheritedSettings(program);
  }
  program.addCommand(helpCommand(program).copyInheritedSettings(program));
  const { stdout } = context.host;
  program.helpInformation = () => formatProgramHelp(stdout.isTTY ? stdout.columns : undefined);
  return program;
}

/** The first argument that is neither an option of the program nor the value of one: the command. */
export function commandNameIn(args: readonly string[], program: Command): string | undefined {
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? '';
    if (!arg.startsWith('-')) return arg;
    const option = program.options.find(({ long, short }) => long === arg || short === arg);
    if (option?.required === true) at += 1;
  }
  return undefined;
}
