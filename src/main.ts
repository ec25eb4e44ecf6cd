#!/usr/bin/env node
if (process.argv[2] === 'copy' || process.argv[2] === 'push') {
  const { prepareForFlows } = await import('./base/engine-flags.js');
  prepareForFlows();
}

const { runCli } = await import('./cli/run.js');
process.exitCode = await runCli(process);
