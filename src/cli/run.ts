import { ExitStatus } from '../errors/exit-status.js';
import type { CliProcess } from './context.js';
import { asksForProgramHelp, formatProgramHelp } from './program-help.js';

/** Runs berth to its end and gives the exit status. The help of the program loads nothing that it does not need. */
export async function runCli(host: CliProcess): Promise<number> {
  // A reader that goes away (`berth list | head`) ends the output, not the work.
  host.stdout.on('error', () => undefined);
  const args = host.argv.slice(2);
  if (asksForProgramHelp(args)) {
    host.stdout.write(formatProgramHelp());
    return ExitStatus.ok;
  }
  const { runCommandLine } = await import('./run-command-line.js');
  return runCommandLine(host, args);
}
