import { Option, type Command } from 'commander';

import type { ApplyOutcome } from '../../containers/apply-config.js';
import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';
import { NOTHING_CHANGED } from '../output/nothing-changed.js';

interface ApplyOptions {
  readonly plan?: boolean;
}

/** `berth apply NAME`. */
export function applyCommand(context: CliContext): Command {
  return defineCommand<ApplyOptions>(
    {
      name: 'apply',
      summary: 'take an edited config.json over into the launch plan',
      args: [{ syntax: '<name>', description: 'name of an installed container, or NAME@INSTANCE' }],
      options: [new Option('--plan', 'show what would change, and change nothing')],
      examples: ['berth apply etcd', 'berth apply --plan etcd'],
      notes:
        'Edit /var/lib/berth/NAME/config.json, apply it, then restart the service. Until it is applied the service starts\n' +
        'as before. What is wrong with the file is named by its place in it, and changes nothing. Instances of a template\n' +
        'share one config.json, NAME@/config.json: it is applied for all of them.',
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { applyConfig } = await import('../../containers/apply-config.js');
      const { printResult } = await import('../output/print.js');
      const { formatDifference } = await import('../output/format-difference.js');
      await withHost(context, options, async (host) => {
        const outcome = await applyConfig(host, args[0] ?? '', { planOnly: options.plan === true });
        for (const text of outcome.warnings) host.onEvent({ kind: 'warning', text });
        for (const path of outcome.kept) {
          host.onEvent({
            kind: 'warning',
            text: `'${path}' was changed by an administrator, keeping it`,
          });
        }
        const shown = outcome.difference.same ? '' : `${formatDifference(outcome.difference)}\n`;
        printResult(context, options, {
          of: 'apply',
          json: outcome,
          text:
            options.plan === true
              ? `${shown}${planText(outcome, options.user === true)}`
              : doneText(outcome, options.user === true),
        });
      });
    },
    context,
  );
}

function planText(outcome: ApplyOutcome, user: boolean): string {
  const { changed } = outcome;
  if (changed.length === 0) return doneText(outcome, user);
  const files = changed.map((path) => `  ${path}\n`).join('');
  return `Files that would be written\n${files}\n${NOTHING_CHANGED}\n`;
}

function doneText({ name, changed, running }: ApplyOutcome, user: boolean): string {
  if (changed.length === 0 && running.length === 0)
    return `${name} runs by this config.json already; nothing to do\n`;
  const next =
    running.length === 0
      ? 'It holds from the next start on.'
      : name.endsWith('@')
        ? `Until they are restarted, these run as before: ${running.join(', ')}.`
        : `The service runs as before until 'berth ${user ? '--user ' : ''}restart ${name}'.`;
  const done = changed.length === 0 ? 'was applied before' : 'is applied';
  return `the config.json of ${name} ${done}. ${next}\n`;
}
