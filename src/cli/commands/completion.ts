import { Argument, type Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

/** `berth completion bash|zsh|fish`. */
export function completionCommand(context: CliContext): Command {
  const command = defineCommand(
    {
      name: 'completion',
      summary: 'print a completion script for a shell',
      examples: [
        'berth completion bash > /etc/bash_completion.d/berth',
        'berth completion zsh > "${fpath[1]}/_berth"',
        'berth completion fish > ~/.config/fish/completions/berth.fish',
      ],
    },
    async ({ args }) => {
      const { describeCommands, formatCompletion } = await import('../completion-script.js');
      const program = command.parent;
      if (program === null) throw new Error('internal error: the completion command has no parent');
      context.host.stdout.write(
        formatCompletion(args[0] as 'bash' | 'zsh' | 'fish', describeCommands(program)),
      );
    },
    context,
  );
  return command.addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']));
}
