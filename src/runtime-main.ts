#!/usr/bin/env node
import { writeSync } from 'node:fs';

import { programVersion } from './config/version.js';
import { findCaller } from './runtime/confined-caller.js';
import { runRuntime } from './runtime-cli/program.js';

process.exitCode = await runRuntime({
  argv: process.argv,
  env: process.env,
  caller: findCaller,
  cwd: process.cwd(),
  version: programVersion,
  print: (text) => void writeSync(1, text),
});
