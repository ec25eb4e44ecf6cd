import type { Command, Option } from 'commander';

/** What a completion script needs to know of one command. */
export interface CompletedCommand {
  /** With its group: `images delete`. */
  readonly path: string;
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  /** Of a group its commands; of others the words that their first argument can be, if these are known. */
  readonly words: readonly string[];
  /** Whether its arguments are names of installed containers. */
  readonly takesNames: boolean;
}

/** An option of a {@link CompletedCommand}. */
export interface CompletedOption {
  readonly long: string;
  readonly short: string | undefined;
  readonly description: string;
  readonly takesValue: boolean;
  /** The values that it can have, if these are known; of others it is a file, a folder, or anything. */
  readonly values: readonly string[];
}

/** Reads the commands off the program, so that the script never lags behind it; those of a group follow it. */
export function describeCommands(program: Command): readonly CompletedCommand[] {
  const names = program.commands.map((command) => command.name());
  return program.commands.flatMap((command) => [
    describe(command, command.name() === 'help' ? names : []),
    ...command.commands.map((sub) => ({
      ...describe(sub),
      path: `${command.name()} ${sub.name()}`,
    })),
  ]);
}

function describe(command: Command, known: readonly string[] = []): CompletedCommand {
  const { registeredArguments: given } = command;
  return {
    path: command.name(),
    summary: command.summary() || command.description(),
    options: command.options.flatMap(describeOption),
    words: [
      ...known,
      ...command.commands.map((sub) => sub.name()),
      ...(given[0]?.argChoices ?? []),
    ],
    takesNames: given.some(({ description }) => /(?<!system )\bcontainers?\b/.test(description)),
  };
}

function describeOption(option: Option): readonly CompletedOption[] {
  const { long, short, description, required, argChoices = [] } = option;
  if (long === undefined) return [];
  return [{ long, short, description, takesValue: required, values: argChoices }];
}

/** The completion script of a shell: commands, their options and what these can be, and names of containers by `berth list -q`. */
export function formatCompletion(
  shell: 'bash' | 'zsh' | 'fish',
  commands: readonly CompletedCommand[],
): string {
  switch (shell) {
    case 'bash':
      return `${formatBash(commands)}complete -o default -F _berth berth\n`;
    case 'zsh':
      return formatZsh(commands);
    case 'fish':
      return formatFish(commands);
  }
}

const MADE_BY = "# berth completion; made by 'berth completion'";

function formatBash(commands: readonly CompletedCommand[]): string {
  const top = commands.filter(({ path }) => !path.includes(' '));
  const groups = new Set(commands.flatMap(({ path }) => path.split(' ').slice(0, -1)));
  const cases = commands.map(({ path, words, options, takesNames }) => {
    const own = [...words, ...options.map(({ long }) => long)].join(' ');
    const names = takesNames ? ' $(berth $user list -q 2>/dev/null)' : '';
    return `    '${path}') offers="${own}${names}" ;;`;
  });
  return `${MADE_BY}
_berth() {
  local current=\${COMP_WORDS[COMP_CWORD]} offers= command= user= word= before=
  for word in "\${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}"; do
    case $before$word in
      --user) user=--user ;;
      -*) ;;
      *)
        case $command in
          '') command=$word ;;
          ${[...groups].join('|')}) command="$command $word" ;;
        esac ;;
    esac
    before=; if [ "$word" = --root ]; then before=--root= ; fi
  done
  case $command in
${cases.join('\n')}
  esac
  if [ -z "$command" ]; then offers="--user ${top.map(({ path }) => path).join(' ')}"; fi
  case "$command $word" in
${valueCases(commands).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$offers" -- "$current"))
}
`;
}

/** What stands after an option with a value: one of those that are known, or nothing, which is a file. */
function valueCases(commands: readonly CompletedCommand[]): readonly string[] {
  return commands.flatMap(({ path, options }) =>
    options
      .filter(({ takesValue }) => takesValue)
      .map(({ long, short, values }) => {
        const flags = [long, ...(short === undefined ? [] : [short])];
        const patterns = flags.map((flag) => `'${path} ${flag}'`).join('|');
        return `    ${patterns}) offers="${values.join(' ')}" ;;`;
      }),
  );
}

/** By the script for bash, which zsh emulates. A file of fpath is run as the function itself, when something is to be completed already. */
function formatZsh(commands: readonly CompletedCommand[]): string {
  return `#compdef berth
autoload -U +X bashcompinit && bashcompinit
${formatBash(commands)}complete -o default -F _berth berth
if [ "\${funcstack[1]}" = _berth ]; then _bash_complete -o default -F _berth; fi
`;
}

/** With `--user` where that stands on the line. */
const FISH_LIST = 'berth (contains -- --user (commandline -opc); and echo -- --user) list -q';

function formatFish(commands: readonly CompletedCommand[]): string {
  const lines = [MADE_BY];
  const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
  for (const { path, summary, options, words, takesNames } of commands) {
    const seen = path.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
    const when = `complete -c berth -n ${quoted(seen.join('; and '))}`;
    if (!path.includes(' '))
      lines.push(`complete -c berth -n __fish_use_subcommand -f -a ${path} -d ${quoted(summary)}`);
    for (const word of words) lines.push(`${when} -f -a ${word}`);
    for (const { long, short, description, takesValue, values } of options) {
      const flags = [
        `-l ${long.slice(2)}`,
        ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
      ];
      const value = !takesValue ? '' : values.length === 0 ? ' -r' : ` -x -a '${values.join(' ')}'`;
      lines.push(`${when} ${flags.join(' ')}${value} -d ${quoted(description)}`);
    }
    if (takesNames) lines.push(`${when} -f -a '(${FISH_LIST} 2>/dev/null)'`);
  }
  return `${lines.join('\n')}\n`;
}
