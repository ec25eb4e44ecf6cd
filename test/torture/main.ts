import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { TempDir } from '../support/temp-dir.js';
import { sweepKills, type SweepResult } from './kill-sweep.js';
import { LARGE, torturedVerbs } from './verbs.js';

// The long form of the torture: `npm run torture -- --help`.

const HELP = `npm run torture -- [--verb VERB]… [--points N]

  --verb VERB    only this one (install, uninstall, pull); may be repeated
  --points N     kill points a verb at most; all of them unless given
`;

const { values: options } = parseArgs({
  options: {
    verb: { type: 'string', multiple: true },
    points: { type: 'string', default: String(Number.MAX_SAFE_INTEGER) },
    help: { type: 'boolean', default: false },
  },
});

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function sweepAll(): Promise<readonly SweepResult[]> {
  const results: SweepResult[] = [];
  using folder = new TempDir();
  for (const verb of torturedVerbs(folder.path, LARGE)) {
    if (options.verb !== undefined && !options.verb.includes(verb.name)) continue;
    const started = performance.now();
    using place = new TempDir();
    const result = await sweepKills(verb, {
      folder: join(place.path),
      limit: Number(options.points),
      onPoint: (point, violations) => {
        for (const violation of violations) say(violation);
        if (point.number % 50 === 0) say(`${verb.name}: at ${point.number}`);
      },
    });
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    say(`${verb.name}: ${result.points} of ${result.calls} points in ${seconds} s`);
    results.push(result);
  }
  return results;
}

if (options.help) process.stdout.write(HELP);
else {
  const results = await sweepAll();
  process.stdout.write('verb       calls  points  missed  violations\n');
  for (const { verb, calls, points, missed, violations } of results) {
    const cells = [calls, points, missed, violations.length].map((n) => String(n).padStart(7));
    process.stdout.write(`${verb.padEnd(9)}${cells.join(' ')}\n`);
  }
  if (results.some(({ missed, violations }) => missed + violations.length > 0))
    process.exitCode = 1;
}
