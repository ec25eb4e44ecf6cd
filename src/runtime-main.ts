import { writeSync } from 'node:fs';

import { programVersion } from './config/version.js';
import { findCaller } from './runtime/confined-caller.js';
import { runRuntime } from './runtime-cli/program.js';

// What it ends with should nothing be left to wait for before it is done.
process.exitCode = 1;
void runRuntime({
  argv: process.argv,
  env: process.env,
  caller: findCaller,
  cwd: process.cwd(),
  version: programVersion,
  print: (text) => void writeSync(1, text),
}).then((status) => {
  process.exitCode = status;
});
