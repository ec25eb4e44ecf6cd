import type { Command } from 'commander';

/** What a completion script needs to know of one command. */
export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly string[];
  readonly subcommands: readonly string[];
  /** Whether its arguments are names of installed containers. */
  readonly takesNames: boolean;
}

/** Reads the commands off the program, so that the script never lags behind it. */
export function describeCommands(program: Command): readonly CompletedCommand[] {
  return program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary(),
    options: command.options.flatMap((option) => (option.long === undefined ? [] : [option.long])),
    subcommands: command.commands.map((sub) => sub.name()),
    takesNames: command.registeredArguments.some((argument) => argument.name() === 'name'),
  }));
}

/** The completion script of a shell: commands, their options, and names of containers by `berth list -q`. */
export function formatCompletion(
  shell: 'bash' | 'zsh' | 'fish',
  commands: readonly CompletedCommand[],
): string {
  switch (shell) {
    case 'bash':
      return formatBash(commands);
    case 'zsh':
      return `#compdef berth\nautoload -U +X bashcompinit && bashcompinit\n${formatBash(commands)}`;
    case 'fish':
      return formatFish(commands);
  }
}

function formatBash(commands: readonly CompletedCommand[]): string {
  const cases = commands.map((command) => {
    const words = [...command.subcommands, ...command.options].join(' ');
    const names = command.takesNames ? ' $(berth $user list -q 2>/dev/null)' : '';
    return `    ${command.name}) words="${words}${names}" ;;`;
  });
  return `# berth completion; made by 'berth completion'
_berth() {
  local current=\${COMP_WORDS[COMP_CWORD]} words= command= user= word before=
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $before$word in
      --user) user=--user ;;
      -*) ;;
      *) command=\${command:-$word} ;;
    esac
    before=; if [ "$word" = --root ]; then before=--root= ; fi
  done
  case $command in
${cases.join('\n')}
  esac
  if [ -z "$command" ]; then words="--user ${commands.map((command) => command.name).join(' ')}"; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _berth berth
`;
}

/** With `--user` where that stands on the line. */
const FISH_LIST = 'berth (contains -- --user (commandline -opc); and echo -- --user) list -q';

function formatFish(commands: readonly CompletedCommand[]): string {
  const lines = ["# berth completion; made by 'berth completion'"];
  for (const command of commands) {
    const summary = command.summary.replaceAll("'", "\\'");
    lines.push(`complete -c berth -n __fish_use_subcommand -f -a ${command.name} -d '${summary}'`);
    const seen = `'__fish_seen_subcommand_from ${command.name}'`;
    for (const sub of command.subcommands) lines.push(`complete -c berth -n ${seen} -f -a ${sub}`);
    for (const option of command.options)
      lines.push(`complete -c berth -n ${seen} -l ${option.replace(/^--/, '')}`);
    if (command.takesNames)
      lines.push(`complete -c berth -n ${seen} -f -a '(${FISH_LIST} 2>/dev/null)'`);
  }
  return `${lines.join('\n')}\n`;
}
