import { InvalidArgumentError, Option, type Command } from 'commander';

import type { CliContext, CommonOptions } from '../context.js';
import { defineCommand } from '../define-command.js';
import type { ExecForUser } from '../exec-session.js';

/** `berth exec NAME COMMAND…`. */
export function execCommand(context: CliContext): Command {
  return defineCommand<ProgramOptions & { tty?: boolean }>(
    {
      name: 'exec',
      summary: 'run a program in a running container',
      args: [
        { syntax: '<name>', description: 'name of an installed container, or of an instance' },
        { syntax: '<command...>', description: 'program and arguments, options too' },
      ],
      options: [ttyOption(), ...programOptions()],
      examples: [
        'berth exec etcd etcdctl endpoint health',
        'berth exec -u www-data -w /srv web sh -c "ls -l"',
      ],
      notes:
        "It runs as the user of the container and with no more rights. Ends with its status, or with 128 and the number of\nthe signal that ended it. berth's own options stand before the program. (--user is about whose service manager it is.)",
    },
    ({ args: [name = '', ...command], options }) =>
      execIn(context, options, {
        name,
        command,
        tty: options.tty === true,
        ...programOf(options),
      }),
    context,
  );
}

/** `berth shell NAME`. */
export function shellCommand(context: CliContext): Command {
  return defineCommand<ProgramOptions & { shell: string }>(
    {
      name: 'shell',
      summary: 'open a shell in a running container',
      args: [
        { syntax: '<name>', description: 'name of an installed container, or of an instance' },
      ],
      options: [
        new Option('--shell <program>', 'another shell of the image').default('/bin/sh'),
        ...programOptions(),
      ],
      examples: ['berth shell web', 'berth shell --shell /bin/bash web'],
      notes: 'On a terminal it gets one of its own; else it reads commands from standard input.',
    },
    ({ args: [name = ''], options }) =>
      execIn(context, options, {
        name,
        command: [options.shell],
        tty: process.stdin.isTTY && process.stdout.isTTY,
        ...programOf(options),
      }),
    context,
  );
}

function collectVariable(text: string, before: readonly string[] = []): readonly string[] {
  if (!/^[^=\0]+=[^\0]*$/.test(text)) throw new InvalidArgumentError('It is not NAME=VALUE.');
  // Programs differ in which of two they take.
  const name = text.slice(0, text.indexOf('=') + 1);
  return [...before.filter((other) => !other.startsWith(name)), text];
}

/** `-t`. */
export function ttyOption(): Option {
  return new Option('-t, --tty', 'give it a terminal of its own, joined to this one');
}

/** The options of {@link programOptions}. */
export interface ProgramOptions {
  readonly env?: readonly string[];
  readonly runAs?: string;
  readonly workdir?: string;
}

/** With what environment a program is run, by whom and where. `--user` has another meaning in every command. */
export function programOptions(): readonly Option[] {
  return [
    new Option(
      '-e, --env <name=value>',
      'set a variable of its environment (may be repeated)',
    ).argParser(collectVariable),
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

/** What was given of {@link programOptions}. */
export function programOf({ env, runAs, workdir }: ProgramOptions): {
  readonly env: readonly string[] | undefined;
  readonly user: string | undefined;
  readonly workdir: string | undefined;
} {
  return { env, user: runAs, workdir };
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
