import { constants } from 'node:os';

import type { Deployment } from '../containers/deployment.js';
import { execInContainer } from '../containers/exec-in-container.js';
import type { Host } from '../containers/host.js';
import { CommandExit } from './command-exit.js';
import type { CliContext } from './context.js';
import { passSignals } from './pass-signals.js';
import { openTerminalSession } from './terminal-session.js';

/** What {@link execForUser} runs where. */
export interface ExecForUser {
  readonly deployment: Deployment;
  readonly unit: string;
  readonly command: readonly string[];
  readonly tty: boolean;
  /** `NAME=VALUE`. */
  readonly env?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly workdir?: string | undefined;
}

/**
 * Runs a program in a running container with the standard streams of this process, and ends as it ends.
 *
 * @throws CommandExit with its status, unless that is 0
 */
export async function execForUser(
  context: CliContext,
  host: Host,
  what: ExecForUser,
): Promise<void> {
  const { status, signal } = what.tty
    ? await execOnTerminal(host, what)
    : await execOnPipes(context, host, what);
  if (status !== 0)
    throw new CommandExit(status ?? 128 + (signal === undefined ? 0 : constants.signals[signal]));
}

async function execOnTerminal(
  host: Host,
  { deployment, unit, command, ...how }: ExecForUser,
): ReturnType<typeof execInContainer> {
  await using terminal = await openTerminalSession();
  return await execInContainer(host, deployment, {
    ...how,
    unit,
    args: command,
    terminal: terminal.slave,
    // Keys are the program's; signals from elsewhere end it with the scope.
    signal: host.signal,
    onOutput: () => undefined,
    onStart: () => {
      terminal.closeSlave();
    },
  });
}

async function execOnPipes(
  context: CliContext,
  host: Host,
  { deployment, unit, command, ...how }: ExecForUser,
): ReturnType<typeof execInContainer> {
  let passing: Disposable | undefined;
  return await execInContainer(host, deployment, {
    ...how,
    unit,
    args: command,
    input: true,
    // Signals go to the program, which decides what they mean.
    signal: new AbortController().signal,
    onOutput: (stream, chunk) => void context.host[stream].write(chunk),
    onStart: (child) => {
      passing = passSignals(context, child);
      if (child.stdin !== null) process.stdin.pipe(child.stdin);
    },
  }).finally(() => {
    process.stdin.unpipe();
    process.stdin.destroy();
    passing?.[Symbol.dispose]();
  });
}
