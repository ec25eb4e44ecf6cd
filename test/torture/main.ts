import { parseArgs } from 'node:util';

import { TempDir } from '../support/temp-dir.js';
import { installOneName, installSideBySide } from './concurrency.js';
import { pullOverCutLink } from './cut-links.js';
import { sweepFaults } from './fault-sweep.js';
import { sweepKills } from './kill-sweep.js';
import { pullPlugs } from './plug-pulls.js';
import { FILE_SYSTEMS, type FileSystemName } from './power/file-systems.js';
import { runPowerCuts } from './run-power-cuts.js';
import { seededRandom } from './seeded-random.js';
import { soak } from './soak.js';
import { LARGE, SMALL, torturedVerbs, type TorturedVerb } from './verbs.js';

// The long form of the torture: `npm run torture -- --help`.

const HELP = `npm run torture -- [--only PART]… [--verb VERB]… [--points N] [--faults N]
                  [--states N] [--pulls N] [--seed N]

Runs berth on trees of \`--root\`, disturbs it in every way, and checks what is left.

  --only PART    kills, faults, crowds, power, plugs, links, soak; all of them unless given
  --verb VERB    only verbs that begin so (install, uninstall, pull, recover, …)
  --points N     kill points a verb at most; all of them unless given
  --faults N     injected errors a verb at most; 300 unless given
  --crowd N      commands at once; 64 unless given, half as many of one name
  --states N     states of a disk whose power was cut, in all; 1200 unless given
  --pulls N      times that the plug of a whole machine is pulled; 50 unless given
  --megabytes N  size of the layer that is pulled over links that are cut; 200 unless given
  --minutes N    how long the soak of random commands and kills takes; 120 unless given
  --seed N       for what is chosen at random
`;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    verb: { type: 'string', multiple: true },
    points: { type: 'string', default: String(Number.MAX_SAFE_INTEGER) },
    faults: { type: 'string', default: '300' },
    minutes: { type: 'string', default: '120' },
    crowd: { type: 'string', default: '64' },
    states: { type: 'string', default: '1200' },
    megabytes: { type: 'string', default: '200' },
    pulls: { type: 'string', default: '50' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    help: { type: 'boolean', default: false },
  },
});

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function print(...cells: readonly (string | number)[]): void {
  const [first = '', ...rest] = cells.map(String);
  const padded = rest.map((cell) => cell.padStart(11)).join('');
  process.stdout.write(`${first.padEnd(28)}${padded}\n`);
}

const isWanted = (part: string): boolean => options.only?.includes(part) ?? true;

function chosenVerbs(folder: string): readonly TorturedVerb[] {
  return torturedVerbs(folder, LARGE).filter(
    ({ name }) => options.verb?.some((wanted) => name.startsWith(wanted)) ?? true,
  );
}

/** Runs `body` for each verb in a folder of its own, and tells how long that took. */
async function forEachVerb<T>(
  what: string,
  body: (verb: TorturedVerb, folder: string) => Promise<T>,
): Promise<readonly T[]> {
  using images = new TempDir();
  const results: T[] = [];
  for (const verb of chosenVerbs(images.path)) {
    using place = new TempDir();
    const started = performance.now();
    results.push(await body(verb, place.path));
    say(`${what} of ${verb.name}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
  return results;
}

function report(violations: readonly string[]): void {
  for (const violation of violations) say(violation);
}

async function kills(): Promise<number> {
  const results = await forEachVerb('kills', (verb, folder) =>
    sweepKills(verb, {
      folder,
      limit: Number(options.points),
      onPoint: (_, violations) => {
        report(violations);
      },
    }),
  );
  print('kill -9 at a system call', 'calls', 'points', 'missed', 'violations');
  for (const { verb, calls, points, missed, violations } of results)
    print(`  ${verb}`, calls, points, missed, violations.length);
  return results.reduce((sum, { missed, violations }) => sum + missed + violations.length, 0);
}

async function faults(): Promise<number> {
  const random = seededRandom(Number(options.seed));
  const results = await forEachVerb('faults', (verb, folder) =>
    sweepFaults(verb, {
      folder,
      limit: Number(options.faults),
      random,
      onFault: (_, violations) => {
        report(violations);
      },
    }),
  );
  print('a system call that fails', 'calls', 'faults', 'tolerated', 'missed', 'violations');
  for (const { verb, calls, faults: done, tolerated, missed, violations } of results)
    print(`  ${verb}`, calls, done, tolerated, missed, violations.length);
  return results.reduce((sum, { violations }) => sum + violations.length, 0);
}

async function crowds(): Promise<number> {
  const count = Number(options.crowd);
  const rows = [
    { name: `${count} names at once`, run: installSideBySide, count },
    { name: `${count / 2} times one name`, run: installOneName, count: count / 2 },
  ];
  let wrong = 0;
  print('commands side by side', 'commands', 'looks', 'violations');
  for (const row of rows) {
    using root = new TempDir();
    const { commands, looks, violations } = await row.run(root.path, row.count);
    report(violations);
    print(`  ${row.name}`, commands, looks, violations.length);
    wrong += violations.length;
  }
  return wrong;
}

async function power(): Promise<number> {
  print('power cut, states of disks', 'writes', 'flushes', 'states', 'after', 'violations');
  const results = await runPowerCuts(
    {
      states: Number(options.states),
      fileSystems: Object.keys(FILE_SYSTEMS) as FileSystemName[],
      ...(options.verb === undefined ? {} : { verbs: options.verb }),
      size: SMALL,
      seed: Number(options.seed),
    },
    ({ verb, fileSystem, writes, flushes, states, afterSuccess, violations }) => {
      report(violations);
      const where = `  ${verb}, ${fileSystem}`;
      print(where, writes, flushes, states, afterSuccess, violations.length);
    },
  );
  const states = results.reduce((sum, result) => sum + result.states, 0);
  const wrong = results.reduce((sum, { violations }) => sum + violations.length, 0);
  print('  in all', '', '', states, '', wrong);
  return wrong;
}

async function plugs(): Promise<number> {
  const pulls = await pullPlugs({
    pulls: Number(options.pulls),
    seed: Number(options.seed),
    onPull: ({ number, command, afterMs, wasDone, found, violations }) => {
      say(`plug ${number}: ${command}: ${afterMs} ms, ${wasDone ? 'done' : 'cut off'}, ${found}`);
      report(violations);
    },
  });
  const wrong = pulls.reduce((sum, { violations }) => sum + violations.length, 0);
  const cutOff = pulls.filter(({ wasDone }) => !wasDone).length;
  print('plug of a whole machine', 'pulls', 'cut off', 'after', 'violations');
  print('  all commands', pulls.length, cutOff, pulls.length - cutOff, wrong);
  return wrong;
}

async function links(): Promise<number> {
  const megabytes = Number(options.megabytes);
  const rows = [
    { name: 'every 64 KiB', cutBytes: 65_536, answersEach: Infinity },
    { name: 'and a process each 4 MiB', cutBytes: 65_536, answersEach: 64 },
  ];
  let wrong = 0;
  print('a link that is cut', 'bytes', 'sent', 'answers', 'processes', 'violations');
  for (const row of rows) {
    const result = await pullOverCutLink({ megabytes, ...row });
    report(result.violations);
    const { size, sent, answers, processes, violations } = result;
    print(`  ${row.name}`, size, sent, answers, processes, violations.length);
    wrong += violations.length;
  }
  return wrong;
}

async function soakIt(): Promise<number> {
  using folder = new TempDir();
  const { commands, kills, looks, violations } = await soak({
    folder: folder.path,
    minutes: Number(options.minutes),
    random: seededRandom(Number(options.seed)),
  });
  report(violations);
  print('random commands and kills', 'minutes', 'commands', 'killed', 'looks', 'violations');
  print('  one tree', options.minutes, commands, kills, looks, violations.length);
  return violations.length;
}

if (options.help) process.stdout.write(HELP);
else {
  say(`seed ${options.seed}`);
  let wrong = 0;
  if (isWanted('kills')) wrong += await kills();
  if (isWanted('faults')) wrong += await faults();
  if (isWanted('crowds')) wrong += await crowds();
  if (isWanted('power')) wrong += await power();
  if (isWanted('plugs')) wrong += await plugs();
  if (isWanted('links')) wrong += await links();
  if (isWanted('soak')) wrong += await soakIt();
  if (wrong > 0) process.exitCode = 1;
}
