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

/** As wide as commander makes the help of a command where nobody says how wide the terminal is. */
const USUAL_COLUMNS = 80;

/** Fewest columns of a description: in a narrower terminal it wraps as it may. */
const MIN_TEXT = 30;

/** The help of the program. It is made without commander, which takes longer to load than all the rest of it. */
export function formatProgramHelp(columns = USUAL_COLUMNS): string {
  const options = [VERSION_OPTION_WORDS, ...COMMON_OPTION_WORDS, HELP_OPTION_WORDS];
  const commands = [...COMMANDS, HELP_COMMAND_WORDS].map(
    // Every command has options.
    ({ name, usage, summary }): OptionWords => [
      `${name} ${usage.replace('[options]', '').trim()}`.trim(),
      summary,
    ],
  );
  return [
    'Usage: berth [options] [command]\n',
    `${PROGRAM_DESCRIPTION}\n`,
    `Options:\n${formatRows(options, columns)}`,
    `Commands:\n${formatRows(commands, columns)}`,
    `Examples:\n${EXAMPLES.map((example) => `  ${example}\n`).join('')}`,
    "'berth COMMAND --help' shows the options of a command; berth(8) is the manual.\n",
  ].join('\n');
}

function formatRows(rows: readonly OptionWords[], columns: number): string {
  const width = Math.max(...rows.map(([term]) => term.length));
  const room = Math.max(MIN_TEXT, columns - width - '  '.length * 2);
  return rows
    .flatMap(([term, text]) =>
      wrap(text, room).map(
        (line, index) => `  ${(index === 0 ? term : '').padEnd(width)}  ${line}\n`,
      ),
    )
    .join('');
}

function wrap(text: string, room: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > room) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
