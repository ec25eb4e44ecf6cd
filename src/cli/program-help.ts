import { COMMANDS } from './command-table.js';
import {
  COMMON_OPTION_WORDS,
  HELP_COMMAND_WORDS,
  HELP_OPTION_WORDS,
  PROGRAM_DESCRIPTION,
  VERSION_OPTION_WORDS,
  type OptionWords,
} from './program-words.js';

const EXAMPLES = [
  'berth install --system --start etcd',
  'berth install --plan registry.example/etcd:3.5',
  'berth --user install --start registry.example/web',
  'berth list',
];

/** Whether a command line asks for the help of the program and for nothing else. */
export function asksForProgramHelp(args: readonly string[]): boolean {
  return args.length === 1 && ['--help', '-h', 'help'].includes(args[0] ?? '');
}

/** The help of the program. It is made without commander, which takes longer to load than all the rest of it. */
export function formatProgramHelp(): string {
  const options = [VERSION_OPTION_WORDS, ...COMMON_OPTION_WORDS, HELP_OPTION_WORDS];
  const commands = [...COMMANDS, HELP_COMMAND_WORDS].map(
    ({ name, usage, summary }): OptionWords => [`${name} ${usage}`.trimEnd(), summary],
  );
  const width = Math.max(...[...options, ...commands].map(([term]) => term.length));
  const linesOf = (rows: readonly OptionWords[]): string =>
    rows.map(([term, text]) => `  ${term.padEnd(width)}  ${text}\n`).join('');
  return [
    'Usage: berth [options] [command]\n',
    `${PROGRAM_DESCRIPTION}\n`,
    `Options:\n${linesOf(options)}`,
    `Commands:\n${linesOf(commands)}`,
    `Examples:\n${EXAMPLES.map((example) => `  ${example}\n`).join('')}`,
  ].join('\n');
}
