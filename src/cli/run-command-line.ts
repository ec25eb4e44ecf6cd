import { constants } from 'node:os';

import { CommanderError } from 'commander';

import { optimiseLater } from '../base/engine-flags.js';
import { ExitStatus } from '../errors/exit-status.js';
import { OperationalError } from '../errors/operational-error.js';
import { CommandExit } from './command-exit.js';
import type { CliProcess } from './context.js';
import { endOwnOptions } from './end-own-options.js';
import { findCommandPath, ownWords, readPlace } from './own-words.js';
import { createProgram } from './program.js';
import { reportError } from './report-error.js';

export { reportLostOutput } from './report-lost-output.js';

const STOPPING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs one command line to its end and gives the exit status. The first SIGINT, SIGTERM or SIGHUP aborts what waits;
 * undoing then runs to its end, and the status is 128 and the signal's number.
 */
export async function runCommandLine(host: CliProcess, args: readonly string[]): Promise<number> {
  // It is over before anything that is optimised for it has paid for itself.
  if (args[0] === 'list') optimiseLater();
  const abort = new AbortController();
  let stoppedBy: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    stoppedBy ??= signal;
    abort.abort(new OperationalError('CANCELLED', `interrupted by ${signal}`));
  };
  for (const signal of STOPPING_SIGNALS) host.on(signal, onSignal);
  const program = await createProgram({ host, signal: abort.signal }, args);
  try {
    await program.parseAsync(endOwnOptions(args, program), { from: 'user' });
    return ExitStatus.ok;
  } catch (error) {
    if (error instanceof CommandExit) return error.status;
    if (error instanceof CommanderError && error.exitCode === 0) return ExitStatus.ok;
    const own = ownWords(endOwnOptions(args, program));
    const status = reportError(error, {
      stderr: host.stderr,
      env: host.env,
      json: own.includes('--json'),
      command: findCommandPath(own, program),
      args: own,
      place: readPlace(own),
      debug: own.includes('--debug') || host.env['BERTH_DEBUG'] === '1',
    });
    return stoppedBy === undefined ? status : 128 + constants.signals[stoppedBy];
  } finally {
    for (const signal of STOPPING_SIGNALS) host.off(signal, onSignal);
  }
}
