import { InvalidArgumentError, Option, type Command } from 'commander';

import type { CliContext, CommonOptions } from '../context.js';
import { defineCommand } from '../define-command.js';
import type { ExecForUser } from '../exec-session.js';

/** `berth exec NAME COMMAND…`. */
export function execCommand(context: CliContext): Command {
  return defineCommand<IdentityOptions & { tty?: boolean; env?: readonly string[] }>(
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
        ...identityOptions(),
      ],
      examples: [
        'berth exec etcd etcdctl endpoint health',
        'berth exec -u www-data -w /srv web -- sh -c "ls -l"',
      ],
      notes:
        'It runs as the user of the container and with no more rights. Ends with its status, or with 128\nand the number of the signal that ended it. (--user is about whose service manager it is.)',
    },
    ({ args: [name = '', ...command], options }) =>
      execIn(context, options, {
        name,
        command,
        tty: options.tty === true,
        env: options.env,
        ...identityOf(options),
      }),
    context,
  );
}

/** `berth shell NAME`. */
export function shellCommand(context: CliContext): Command {
  return defineCommand<IdentityOptions & { shell: string }>(
    {
      name: 'shell',
      summary: 'open a shell in a running container',
      args: [
        { syntax: '<name>', description: 'name of an installed container, or of an instance' },
      ],
      options: [
        new Option('--shell <program>', 'another shell of the image').default('/bin/sh'),
        ...identityOptions(),
      ],
      examples: ['berth shell web', 'berth shell --shell /bin/bash web'],
      notes: 'On a terminal it gets one of its own; else it reads commands from standard input.',
    },
    ({ args: [name = ''], options }) =>
      execIn(context, options, {
        name,
        command: [options.shell],
        tty: process.stdin.isTTY && process.stdout.isTTY,
        ...identityOf(options),
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

/** The options of {@link identityOptions}. */
export interface IdentityOptions {
  readonly runAs?: string;
  readonly workdir?: string;
}

/** Who runs a program, and where. `--user` has another meaning in every command. */
export function identityOptions(): readonly Option[] {
  return [
    new Option(
      '-u, --run-as <user[:group]>',
      "run it as another user: a number, or a name in the container's own files",
    ),
    new Option('-w, --workdir <dir>', 'begin in another folder of the container').argParser(
      parseWorkdir,
    ),
  ];
}

function parseWorkdir(path: string): string {
  if (!path.startsWith('/') || path.split('/').includes('..') || path.includes('\0'))
    throw new InvalidArgumentError("It is not an absolute path without '..'.");
  return path;
}

/** What was given of {@link identityOptions}. */
export function identityOf({ runAs, workdir }: IdentityOptions): {
  readonly user: string | undefined;
  readonly workdir: string | undefined;
} {
  return { user: runAs, workdir };
}

async function execIn(
  context: CliContext,
  options: CommonOptions,
  what: Omit<ExecForUser, 'deployment' | 'unit'> & { readonly name: string },
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
