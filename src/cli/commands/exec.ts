import { Option, type Command } from 'commander';

import type { CliContext, CommonOptions } from '../context.js';
import { defineCommand } from '../define-command.js';

/** `berth exec NAME COMMAND…`. */
export function execCommand(context: CliContext): Command {
  return defineCommand<{ tty?: boolean }>(
    {
      name: 'exec',
      summary: 'run a program in a running container',
      args: [
        { syntax: '<name>', description: 'name of an installed container, or of an instance' },
        { syntax: '<command...>', description: 'program and arguments; options of it after --' },
      ],
      options: [ttyOption()],
      examples: ['berth exec etcd etcdctl endpoint health', 'berth exec web -- sh -c "ls -l /srv"'],
      notes:
        'It runs as the user of the container and with no more rights. Ends with its status, or with 128\nand the number of the signal that ended it.',
    },
    ({ args: [name = '', ...command], options }) =>
      execIn(context, options, { name, command, tty: options.tty === true }),
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

/** `-t`. */
export function ttyOption(): Option {
  return new Option('-t, --tty', 'give it a terminal of its own, joined to this one');
}

async function execIn(
  context: CliContext,
  options: CommonOptions,
  what: { readonly name: string; readonly command: readonly string[]; readonly tty: boolean },
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
