/*
 * What the program says of itself, apart from its commands: read by commander, and by the help, which does without it.
 */

/** What the program says of itself in one line. */
export const PROGRAM_DESCRIPTION =
  'Installs OCI images as systemd services, with no daemon and no engine.';

/** An option as it is shown and read: flags, and what it does. */
export type OptionWords = readonly [flags: string, description: string];

/** Options of every command, and of the program itself. */
export const COMMON_OPTION_WORDS: readonly OptionWords[] = [
  ['--json', 'print the result in a stable machine form'],
  ['--root <dir>', 'work on the OS tree in DIR, which is not running'],
  ['--user', "work for the user's own service manager, without root"],
  ['-y, --yes', 'assume yes where a question would be asked'],
  ['--debug', 'show stacks of errors'],
];

/** The option of the program alone. */
export const VERSION_OPTION_WORDS: OptionWords = ['-V, --version', 'print the version'];

/** The option that shows the help. */
export const HELP_OPTION_WORDS: OptionWords = ['-h, --help', 'show this help'];

/** `berth help`, which is about all commands. */
export const HELP_COMMAND_WORDS = {
  name: 'help',
  usage: '[command...]',
  summary: 'show the help of a command, or of one of a group',
} as const;
