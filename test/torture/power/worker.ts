import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { cutPower } from '../power-cuts.js';
import type { PowerCutPlan } from '../run-power-cuts.js';
import { isMeant } from '../tortured-verb.js';
import { torturedVerbs } from '../verbs.js';
import { FILE_SYSTEMS } from './file-systems.js';

// Started by run-power-cuts.ts in a mount namespace of its own: FOLDER PLAN. Writes each result as a line of JSON.

const [folder = '', text = ''] = process.argv.slice(2);
const plan = JSON.parse(text) as PowerCutPlan;
const disk = join(folder, 'disk');
mkdirSync(disk);
const pairs = torturedVerbs(join(folder, 'images'), plan.size)
  .filter((verb) => isMeant(verb, plan.verbs))
  .flatMap((verb) => plan.fileSystems.map((name) => ({ verb, name })));
for (const [index, { verb, name }] of pairs.entries()) {
  const result = await cutPower(verb, {
    fileSystem: FILE_SYSTEMS[name],
    folder: disk,
    states: Math.ceil(plan.states / pairs.length),
    seed: plan.seed + index,
    ...(plan.wrapper === undefined ? {} : { wrapper: plan.wrapper }),
    ...(plan.quiet === undefined ? {} : { quiet: plan.quiet }),
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
