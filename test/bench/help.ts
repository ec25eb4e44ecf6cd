import { ownProgram } from '../../src/base/own-files.js';
import { compare, type Bench, type Figure } from './measure.js';
import { mustRun } from './must-run.js';

/** What every command costs at least. */
export const helpBench: Bench = { name: 'help', peers: [], run: benchHelp };

function benchHelp(): Promise<readonly Figure[]> {
  const program = ownProgram();
  return compare('the help', 15, [
    {
      what: 'berth --help',
      run: () => {
        mustRun(process.execPath, [program, '--help']);
      },
    },
    {
      what: 'node -e 0',
      run: () => {
        mustRun(process.execPath, ['-e', '0']);
      },
    },
  ]);
}
