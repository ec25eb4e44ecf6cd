import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';

import { curvesBench } from './curves.js';
import { bootBench } from './boot.js';
import { helpBench } from './help.js';
import { copyBench, copyLargeBench } from './copy.js';
import { launchBench } from './launch.js';
import { layerBench } from './layer.js';
import { manyBench } from './many.js';
import { formatMachineFacts, readMachineFacts } from './machine.js';
import { ostreeBench } from './ostree.js';
import {
  checkoutBench,
  pullAgainBench,
  pullBench,
  pullLargeBench,
  pullLayersBench,
  pullSmallBench,
  pullTlsBench,
} from './pull.js';
import { rebuiltBench } from './rebuilt.js';
import { startBench } from './start.js';
import { formatFigures, type Bench, type Figure } from './measure.js';

/*
 * Figures beside their peers, in one run: `npm run bench`, `npm run bench -- --only copy,layer`, `npm run bench -- --json`. A new
 * group is a Bench in a file of its own and a line in this list. Those that are long run only when they are named.
 */
const BENCHES: readonly Bench[] = [
  launchBench,
  startBench,
  layerBench,
  copyBench,
  copyLargeBench,
  pullBench,
  pullTlsBench,
  pullAgainBench,
  checkoutBench,
  rebuiltBench,
  pullLayersBench,
  pullSmallBench,
  pullLargeBench,
  helpBench,
  manyBench,
  bootBench,
  curvesBench,
  ostreeBench,
];

/** Disks differ from run to run; what berth does is what is measured. */
const PARENT = '/dev/shm';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

if (values.list) {
  const lines = BENCHES.map(({ name, isLong }) => `${name}${isLong === true ? ' (long)' : ''}\n`);
  process.stdout.write(lines.join(''));
} else {
  await runBenches(chooseBenches(values.only));
}

function chooseBenches(only: string | undefined): readonly Bench[] {
  if (only === undefined) return BENCHES.filter(({ isLong }) => isLong !== true);
  return only.split(',').map((name) => {
    const found = BENCHES.find((bench) => bench.name === name);
    if (found !== undefined) return found;
    throw new Error(`there is no '${name}': ${BENCHES.map((bench) => bench.name).join(', ')}`);
  });
}

async function runBenches(benches: readonly Bench[]): Promise<void> {
  execFileSync('sync');
  const machine = await readMachineFacts([...new Set(benches.flatMap(({ peers }) => peers))]);
  if (!values.json) process.stdout.write(formatMachineFacts(machine));
  const figures: Figure[] = [];
  for (const bench of benches) {
    const found = await bench.run(PARENT);
    if (!values.json) process.stdout.write(formatFigures(found));
    figures.push(...found);
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ machine, figures }, null, 2)}\n`);
}
