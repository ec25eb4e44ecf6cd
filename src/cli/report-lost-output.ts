import { describeErrno } from '../errors/describe-errno.js';
import type { ExitStatus } from '../errors/exit-status.js';
import { OperationalError } from '../errors/operational-error.js';
import type { CliProcess } from './context.js';
import { reportError } from './report-error.js';

/** Says that what a command printed did not get where it should: a script would take the rest for all. */
export function reportLostOutput(cause: NodeJS.ErrnoException, host: CliProcess): ExitStatus {
  const described = describeErrno(cause);
  const error = new OperationalError(
    described?.code ?? 'SYSTEM_CALL_FAILED',
    'cannot write to standard output',
    { cause, hint: described?.hint },
  );
  const { stderr, env, argv } = host;
  return reportError(error, { stderr, env, json: argv.includes('--json'), debug: false });
}
