import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { ContainerBed, launcher } from '../support/launched-container.js';
import { runtimeConfigDocument } from '../support/runtime-config.js';
import { compare } from './measure.js';
import { mustRun } from './must-run.js';

const ROUNDS = 100;

/*
 * On the host: one config.json, run by its launch plan and by runtimes. The last rows are what the others have in them anyway:
 * starting a program from here, and starting Node.
 */

using bed = new ContainerBed();
bed.compile(['exit', '0']);
const document = runtimeConfigDocument({ process: { args: ['/probe', 'exit', '0'] } });
writeFileSync(bed.path('config.json'), JSON.stringify(document));

const version = (program: string): string =>
  execFileSync(program, ['--version'], { encoding: 'utf8' }).split('\n')[0]?.trim() ?? program;
const runBy = (program: string, ...before: readonly string[]) => ({
  what: before.length === 0 ? `${program} run` : 'berth-runtime run',
  run: (round: number) => {
    mustRun(program, [...before, 'run', '--bundle', bed.path(''), `bench-${round}`]);
  },
});

const figures = await compare(
  `start a container that ends at once, until it has ended; ${version('crun')}, ${version('runc')}`,
  ROUNDS,
  [
    {
      what: 'berth: launcher on the plan',
      run: () => {
        mustRun(launcher, [bed.plan]);
      },
    },
    runBy('crun'),
    runBy('runc'),
    runBy('node', '/opt/berth/dist/src/runtime-main.js'),
    {
      what: 'node -e 0',
      run: () => {
        mustRun('node', ['-e', '0']);
      },
    },
    {
      what: 'the same static program, no container',
      run: () => {
        mustRun(join(bed.rootfs, 'probe'), ['exit', '0']);
      },
    },
  ],
);
process.stdout.write(JSON.stringify(figures));
