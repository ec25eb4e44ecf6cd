import { InvalidArgumentError, Option, type Command } from 'commander';

import type { CliContext, CommonOptions } from '../context.js';
import { defineCommand } from '../define-command.js';
import type { ExecForUser } from '../exec-session.js';

/** `berth exec NAME COMMAND…`. */
export function execCommand(context: CliContext): Command {
  return defineCommand<{ tty?: boolean; env?: readonly string[] }>(
    {
      name: 'exec',
      summary: 'run a program in a running container',
      args: [
        { syntax: '<name>', description: 'name of an installed container, or of an instance' },
        { syntax: '<command...>', description: 'program and arguments; options of it after --' },
      ],
      options: [
        ttyOption(),
        new Option(
          '-e, --env <name=value>',
          'set a variable of its environment (may be repeated)',
        ).argParser(collectVariable),
      ],
      examples: ['berth exec etcd etcdctl endpoint health', 'berth exec web -- sh -c "ls -l /srv"'],
      notes:
        'It runs as the user of the container and with no more rights. Ends with its status, or with 128\nand the number of the signal that ended it.',
    },
    ({ args: [name = '', ...command], options }) =>
      execIn(context, options, {
        name,
        command,
        tty: options.tty === true,
        env: options.env,
      }),
    context,
  );
}

/** `berth shell NAME`. */
export function shellCommand(context: CliContext): Command {
  return defineCommand<{ shell: string }>(
    {
      name: 'shell',
      summary: 'open a shell in a running container',
      args: [
        { syntax: '<name>', description: 'name of an installed container, or of an instance' },
      ],
      options: [new Option('--shell <program>', 'another shell of the image').default('/bin/sh')],
      examples: ['berth shell web', 'berth shell --shell /bin/bash web'],
      notes: 'On a terminal it gets one of its own; else it reads commands from standard input.',
    },
    ({ args: [name = ''], options }) =>
      execIn(context, options, {
        name,
        command: [options.shell],
        tty: process.stdin.isTTY && process.stdout.isTTY,
      }),
    context,
  );
}

function collectVariable(text: string, before: readonly string[] = []): readonly string[] {
  if (!/^[^=\0]+=[^\0]*$/.test(text)) throw new InvalidArgumentError('It is not NAME=VALUE.');
  return [...before, text];
}

/** `-t`. */
export function ttyOption(): Option {
  return new Option('-t, --tty', 'give it a terminal of its own, joined to this one');
}

async function execIn(
  context: CliContext,
  options: CommonOptions,
  what: Pick<ExecForUser, 'command' | 'tty' | 'env'> & { readonly name: string },
): Promise<void> {
  const { withHost } = await import('../open-host.js');
  const { getRunnableService } = await import('../../containers/find-service.js');
  const { assertPrivileged } = await import('../../containers/preflight.js');
  const { execForUser } = await import('../exec-session.js');
  await withHost(context, options, async (host) => {
    assertPrivileged(host);
    const { deployment, unit } = await getRunnableService(host, what.name);
    await execForUser(context, host, { ...what, deployment, unit });
  });
}
