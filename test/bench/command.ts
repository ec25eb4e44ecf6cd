import { compare, type Bench, type Figure } from './measure.js';
import { mustRun } from './must-run.js';

/** What every command costs before it does anything. */
export const commandBench: Bench = { name: 'command', peers: [], run: benchCommands };

function benchCommands(): Promise<readonly Figure[]> {
  const program = new URL('../../src/main.js', import.meta.url).pathname;
  return compare('a command', 15, [
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
