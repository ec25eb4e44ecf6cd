import { constants } from 'node:os';

import { Option, type Command } from 'commander';

import { CommandExit } from '../command-exit.js';
import type { CliContext } from '../context.js';
import { defineCommand, type CommandCall } from '../define-command.js';

/** `berth exec NAME COMMAND…`. */
export function execCommand(context: CliContext): Command {
  return defineCommand<{ tty?: boolean }>(
    {
      name: 'exec',
      summary: 'run a program in a running container',
      args: [
        { syntax: '<name>', description: 'name of an installed container' },
        { syntax: '<command...>', description: 'program and arguments; options of it after --' },
      ],
      options: [new Option('-t, --tty', 'give it a terminal (not supported)').hideHelp()],
      examples: ['berth exec etcd etcdctl endpoint health', 'berth exec web -- sh -c "ls -l /srv"'],
      notes:
        'It runs as the user of the container and with no more rights. Ends with its status, or with 128\nand the number of the signal that ended it.',
    },
    runExec,
    context,
  );
}

async function runExec({ args, options, context }: CommandCall<{ tty?: boolean }>): Promise<void> {
  const { withHost } = await import('../open-host.js');
  const { getContainer } = await import('../../containers/container-directory.js');
  const { execInContainer } = await import('../../containers/exec-in-container.js');
  const { assertPrivileged } = await import('../../containers/preflight.js');
  const { OperationalError } = await import('../../errors/operational-error.js');
  const [name = '', ...command] = args;
  if (options.tty === true)
    throw new OperationalError('USAGE', "'-t' is not supported: there is no terminal to give");
  await withHost(context, options, async (host) => {
    assertPrivileged(host);
    const deployment = await getContainer(host.paths, name);
    let pass: ((signal: NodeJS.Signals) => void) | undefined;
    const outcome = await execInContainer(host, deployment, {
      args: command,
      input: true,
      // Signals go to the program, which decides what they mean.
      signal: new AbortController().signal,
      onOutput: (stream, chunk) => void context.host[stream].write(chunk),
      onStart: (child) => {
        pass = (signal) => void child.kill(signal);
        for (const signal of PASSED) context.host.on(signal, pass);
        if (child.stdin !== null) process.stdin.pipe(child.stdin);
      },
    }).finally(() => {
      process.stdin.unpipe();
      process.stdin.destroy();
      if (pass !== undefined) for (const signal of PASSED) context.host.off(signal, pass);
    });
    if (outcome.status !== 0) {
      const { signal, status } = outcome;
      throw new CommandExit(status ?? 128 + (signal === undefined ? 0 : constants.signals[signal]));
    }
  });
}

const PASSED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
