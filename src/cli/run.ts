import { setImmediate as nextTurn } from 'node:timers/promises';

import { ExitStatus } from '../errors/exit-status.js';
import type { CliProcess } from './context.js';
import { asksForProgramHelp, formatProgramHelp } from './program-help.js';

/** Runs berth to its end and gives the exit status. The help of the program loads nothing that it does not need. */
export async function runCli(host: CliProcess): Promise<number> {
  let lost: NodeJS.ErrnoException | undefined;
  host.stdout.on('error', (error: NodeJS.ErrnoException) => (lost ??= error));
  const status = await runAny(host);
  // What a stream meets it tells a turn later.
  await nextTurn();
  // A reader that goes away (`berth list | head`) ends the output, not the work.
  if (lost === undefined || lost.code === 'EPIPE') return status;
  const { reportLostOutput } = await import('./run-command-line.js');
  const reported = reportLostOutput(lost, host);
  return status === ExitStatus.ok ? reported : status;
}

/** Of a terminal; a pipe has none. */
function columnsOf({ stdout }: CliProcess): number | undefined {
  return stdout.isTTY ? stdout.columns : undefined;
}

async function runAny(host: CliProcess): Promise<number> {
  const args = host.argv.slice(2);
  if (asksForProgramHelp(args)) {
    host.stdout.write(formatProgramHelp(columnsOf(host)));
    return ExitStatus.ok;
  }
  const { runCommandLine } = await import('./run-command-line.js');
  return runCommandLine(host, args);
}
