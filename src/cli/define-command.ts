import { Command, Option } from 'commander';

import type { CliContext, CommonOptions } from './context.js';
import { COMMON_OPTION_WORDS } from './program-words.js';

/** A command before it is given to commander. */
export interface CommandDefinition {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  /** Argument declarations of commander: `<name...>`, `[image]`. */
  readonly args?: readonly { readonly syntax: string; readonly description: string }[];
  readonly options?: readonly Option[];
  /** One or more lines that can be typed as they stand, shown in the help. */
  readonly examples: readonly string[];
  /** Further help text. */
  readonly notes?: string;
}

/** What a command's code gets: arguments, its options and the common ones, the context. */
export interface CommandCall<Options> {
  readonly args: readonly string[];
  readonly options: Options & CommonOptions;
  readonly context: CliContext;
}

/**
 * Makes a command with the options that every command has. Its code is imported when it runs, not before: the help and
 * the other commands do not pay for it.
 */
export function defineCommand<Options>(
  definition: CommandDefinition,
  run: (call: CommandCall<Options>) => Promise<void>,
  context: CliContext,
): Command {
  const command = new Command(definition.name)
    .summary(definition.summary)
    .description(definition.summary);
  for (const alias of definition.aliases ?? []) command.alias(alias);
  for (const { syntax, description } of definition.args ?? [])
    command.argument(syntax, description);
  for (const option of definition.options ?? []) command.addOption(option);
  for (const option of commonOptions()) command.addOption(option);
  const examples = definition.examples.map((example) => `  ${example}`).join('\n');
  const notes = definition.notes === undefined ? '' : `\n\n${definition.notes}`;
  command.addHelpText('after', `\nExamples:\n${examples}${notes}`);
  command.action(async (...given: unknown[]) => {
    const self = given.at(-1) as Command;
    const positional = given
      .slice(0, -2)
      .flatMap((value) => (value === undefined ? [] : value)) as string[];
    await run({
      args: positional,
      options: self.optsWithGlobals(),
      context,
    });
  });
  return command;
}

/** Options of every command, and of the program itself. */
export function commonOptions(): Option[] {
  return COMMON_OPTION_WORDS.map(([flags, description]) => new Option(flags, description));
}

/** Collects the values of an option that may be given more than once. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}
