#!/usr/bin/env node
import { prepareForFlows } from './base/engine-flags.js';

if (process.argv[2] === 'copy' || process.argv[2] === 'push') prepareForFlows();

const { runCli } = await import('./cli/run.js');
process.exitCode = await runCli(process);
