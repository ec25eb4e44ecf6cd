import { runCli } from './cli/run.js';
import { ExitStatus } from './errors/exit-status.js';

// What it ends with should nothing be left to wait for before it is done.
process.exitCode = ExitStatus.internal;
void runCli(process).then((status) => {
  process.exitCode = status;
});
