import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { ContainerBed, launcher } from '../support/launched-container.js';
import { runtimeConfigDocument } from '../support/runtime-config.js';
import { compare, type Bench, type Figure } from './measure.js';
import { mustRun } from './must-run.js';

/** A container that ends at once, by its plan and by other runtimes on the same config.json. */
export const launchBench: Bench = { name: 'launch', peers: ['runc'], run: benchLaunch };

async function benchLaunch(): Promise<readonly Figure[]> {
  using bed = new ContainerBed();
  bed.compile(['exit', '0']);
  const document = runtimeConfigDocument({ process: { args: ['/probe', 'exit', '0'] } });
  writeFileSync(bed.path('config.json'), JSON.stringify(document));
  // crun refuses machines with both kinds of cgroups, which those of the tests are.
  const runc = {
    what: 'runc run',
    run: (round: number) => {
      mustRun('runc', ['run', '--bundle', bed.path(''), `bench-${process.pid}-${round}`]);
    },
  };
  return await compare('start a container that ends at once, until it has ended', 100, [
    {
      what: 'berth: launcher on the plan',
      run: () => {
        mustRun(launcher, [bed.plan]);
      },
    },
    runc,
    {
      what: 'the same static program, no container',
      run: () => {
        mustRun(join(bed.rootfs, 'probe'), ['exit', '0']);
      },
    },
  ]);
}
