import { spawn } from 'node:child_process';

import { InvalidArgumentError, Option, type Command } from 'commander';

import { CommandExit } from '../command-exit.js';
import type { CliContext } from '../context.js';
import { defineCommand, type CommandCall } from '../define-command.js';

interface LogsOptions {
  readonly follow?: boolean;
  readonly lines?: number;
  readonly since?: string;
  readonly boot?: boolean;
}

/** `berth logs NAME…`. */
export function logsCommand(context: CliContext): Command {
  return defineCommand<LogsOptions>(
    {
      name: 'logs',
      summary: 'show what containers wrote into the journal',
      args: [{ syntax: '<name...>', description: 'names of installed containers' }],
      options: [
        new Option('-f, --follow', 'go on with what is written from now on'),
        new Option('-n, --lines <number>', 'only the last lines').argParser((text): number => {
          if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It is not a number.');
          return Number(text);
        }),
        new Option('--since <time>', "from then on, as journalctl takes it: '10 min ago', today"),
        new Option('-b, --boot', 'only since the host booted'),
      ],
      examples: ['berth logs etcd', 'berth logs -f -n 20 etcd', 'berth logs --since today web@1'],
      notes: 'With --json each line is one entry as journalctl --output=json has them.',
    },
    showLogs,
    context,
  );
}

async function showLogs({ args, options, context }: CommandCall<LogsOptions>): Promise<void> {
  const { withHost } = await import('../open-host.js');
  const { findService } = await import('../../containers/find-service.js');
  const { OperationalError } = await import('../../errors/operational-error.js');
  const { isTemplateName } = await import('../../base/container-name.js');
  const { endOf } = await import('../../containers/run-in-stopped.js');
  const { passSignals } = await import('../pass-signals.js');
  await withHost(context, options, async (host) => {
    const units: string[] = [];
    for (const name of args) {
      const { unit } = await findService(host, name);
      if (unit === undefined)
        throw new OperationalError(
          'CONTAINER_NOT_RUNNING',
          `'${name}' has no service: its image only brings files for the host`,
        );
      // A pattern of journalctl: every instance of a template.
      units.push(isTemplateName(name) ? unit.replace('@.', '@*.') : unit);
    }
    const about = host.paths.mode === 'user' ? '--user-unit=' : '--unit=';
    const child = spawn(
      'journalctl',
      [
        '--no-pager',
        '--quiet',
        ...units.map((unit) => `${about}${unit}`),
        ...(host.paths.root === '' ? [] : [`--root=${host.paths.root}`]),
        ...(options.json === true ? ['--output=json'] : []),
        ...(options.follow === true ? ['--follow'] : []),
        ...(options.boot === true ? ['--boot'] : []),
        ...(options.lines === undefined ? [] : [`--lines=${options.lines}`]),
        ...(options.since === undefined ? [] : [`--since=${options.since}`]),
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    const passing = passSignals(context, child);
    const status = await endOf(child).finally(() => {
      passing[Symbol.dispose]();
    });
    if (status !== 0) throw new CommandExit(status);
  });
}
