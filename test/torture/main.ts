import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { TempDir } from '../support/temp-dir.js';
import { installOneName, installSideBySide } from './concurrency.js';
import { pullOverCutLink } from './cut-links.js';
import { devices, exhaust } from './devices.js';
import { sweepFaults } from './fault-sweep.js';
import { sweepKills } from './kill-sweep.js';
import { HELP, parseOptions } from './options.js';
import { RIVALS, raceVerbs } from './pause-races.js';
import { pullPlugs } from './plug-pulls.js';
import { FILE_SYSTEMS, type FileSystemName } from './power/file-systems.js';
import { TortureReport } from './report.js';
import { runPowerCuts } from './run-power-cuts.js';
import { seededRandom } from './seeded-random.js';
import { soak } from './soak.js';
import { survivesSwaps, swapTargets } from './swap-racer.js';
import { isMeant, type TorturedVerb } from './tortured-verb.js';
import { longVerbs, SMALL, torturedVerbs } from './verbs.js';

// The long form of the torture: `npm run torture -- --help`.

const options = parseOptions();
const report = new TortureReport({
  seed: options.seed,
  file: options.json,
  resume: options.resume,
  say,
});

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function sayAll(violations: readonly string[]): void {
  for (const violation of violations) say(violation);
}

/** Runs `body` for each verb in a folder of its own. */
async function forEachVerb(
  verbs: (folder: string) => readonly TorturedVerb[],
  body: (verb: TorturedVerb, folder: string) => Promise<void>,
): Promise<void> {
  using images = new TempDir();
  for (const verb of verbs(images.path).filter((each) => isMeant(each, options.verb))) {
    using place = new TempDir();
    await body(verb, place.path);
  }
}

async function kills(): Promise<void> {
  await forEachVerb(longVerbs, (verb, folder) =>
    report.run('kills', verb.name, async () => {
      const { calls, points, missed, violations } = await sweepKills(verb, {
        folder,
        limit: options.points,
        onPoint: (_, found) => {
          sayAll(found);
        },
      });
      const notKilled = missed > 0 ? [`${missed} kills did not come`] : [];
      return { figures: { calls, points, missed }, violations: [...violations, ...notKilled] };
    }),
  );
}

async function faults(): Promise<void> {
  await forEachVerb(longVerbs, (verb, folder) =>
    report.run('faults', verb.name, async () => {
      const result = await sweepFaults(verb, {
        folder,
        limit: options.faults,
        random: seededRandom(report.seed),
        onFault: (_, found) => {
          sayAll(found);
        },
      });
      const { calls, faults: done, tolerated, missed, violations } = result;
      return { figures: { calls, faults: done, tolerated, missed }, violations };
    }),
  );
}

async function fullDevices(): Promise<void> {
  for (const device of devices()) {
    using folder = new TempDir();
    await report.run('devices', device.name, () => exhaust(device, folder.path));
  }
}

async function races(): Promise<void> {
  await forEachVerb(
    (folder) => torturedVerbs(folder, SMALL),
    async (verb, folder) => {
      if (!RIVALS.has(verb.name)) return;
      await report.run('races', verb.name, () =>
        raceVerbs(verb, { folder, limit: options.pauses, onViolation: say }),
      );
    },
  );
}

async function swaps(): Promise<void> {
  for (const target of swapTargets()) {
    await report.run('swaps', target.name, () => survivesSwaps(target, { swaps: options.swaps }));
  }
}

async function crowds(): Promise<void> {
  const rows = [
    { name: 'names at once', run: installSideBySide, count: options.crowd },
    { name: 'times one name', run: installOneName, count: options.crowd / 2 },
  ];
  for (const { name, run, count } of rows) {
    using root = new TempDir();
    await report.run('crowds', `${count} ${name}`, async () => {
      const { commands, looks, violations } = await run(root.path, count);
      return { figures: { commands, looks }, violations };
    });
  }
}

async function flips(): Promise<void> {
  await report.run('flips', 'a store', () => {
    const test = fileURLToPath(new URL('../hostile/store-flips.test.js', import.meta.url));
    const env = {
      ...process.env,
      BERTH_TEST_FLIPS: String(options.flips),
      BERTH_TEST_SEED: String(report.seed),
    };
    const { status, stdout } = spawnSync(process.execPath, [test], { env, encoding: 'utf8' });
    const violations = status === 0 ? [] : [stdout];
    sayAll(violations);
    return Promise.resolve({ figures: { flips: options.flips }, violations });
  });
}

async function power(): Promise<void> {
  using images = new TempDir();
  const verbs = torturedVerbs(images.path, SMALL).filter((each) => isMeant(each, options.verb));
  const fileSystems = Object.keys(FILE_SYSTEMS) as FileSystemName[];
  const states = Math.ceil(options.states / (verbs.length * fileSystems.length));
  for (const [index, verb] of verbs.entries())
    for (const name of fileSystems)
      await report.run('power', `${verb.name}, ${name}`, async () => {
        const plan = { states, fileSystems: [name], verbs: [verb.name], size: SMALL };
        const [result] = await runPowerCuts({ ...plan, seed: report.seed + index });
        if (result === undefined) throw new Error(`nothing was cut of ${verb.name}`);
        sayAll(result.violations);
        const { writes, flushes, afterSuccess } = result;
        return {
          figures: { writes, flushes, states: result.states, afterSuccess },
          violations: result.violations,
        };
      });
}

async function plugs(): Promise<void> {
  await report.run('plugs', 'a whole machine', async () => {
    const pulls = await pullPlugs({
      pulls: options.pulls,
      seed: report.seed,
      onPull: ({ number, command, afterMs, wasDone, found, violations }) => {
        say(`plug ${number}: ${command}: ${afterMs} ms, ${wasDone ? 'done' : 'cut off'}, ${found}`);
        sayAll(violations);
      },
    });
    const cutOff = pulls.filter(({ wasDone }) => !wasDone).length;
    return {
      figures: { pulls: pulls.length, cutOff, afterSuccess: pulls.length - cutOff },
      violations: pulls.flatMap(({ violations }) => violations),
    };
  });
}

async function links(): Promise<void> {
  const rows = [
    { name: 'cut every 64 KiB', cutBytes: 65_536, answersEach: Infinity },
    { name: 'and a process each 4 MiB', cutBytes: 65_536, answersEach: 64 },
  ];
  for (const { name, ...row } of rows)
    await report.run('links', name, async () => {
      const result = await pullOverCutLink({ megabytes: options.megabytes, ...row });
      const { size, sent, answers, processes, violations } = result;
      sayAll(violations);
      return { figures: { bytes: size, sent, answers, processes }, violations };
    });
}

async function soakIt(): Promise<void> {
  using folder = new TempDir();
  await report.run('soak', 'one tree', async () => {
    const result = await soak({
      folder: folder.path,
      minutes: options.minutes,
      random: seededRandom(report.seed),
      onCheck: tellNow((soFar) => {
        say(`soak: ${JSON.stringify({ ...soFar, violations: soFar.violations.length })}`);
      }),
    });
    const { commands, kills: killed, looks, byCommand, violations } = result;
    sayAll(violations);
    const verbs = Object.keys(byCommand).length;
    return {
      figures: { minutes: Math.round(result.minutes), verbs, commands, kills: killed, looks },
      violations,
    };
  });
}

/** Passes on what it is called with, once a minute. */
function tellNow<T>(tell: (value: T) => void): (value: T) => void {
  let next = 0;
  return (value) => {
    if (performance.now() < next) return;
    next = performance.now() + 60_000;
    tell(value);
  };
}

async function booted(): Promise<void> {
  await report.run('booted', 'a booted host', () => {
    const test = fileURLToPath(new URL('../integration/kill-booted.test.js', import.meta.url));
    const env = { ...process.env, BERTH_TEST_KILLS: String(options.booted) };
    const argv = ['--test', '--test-reporter=tap', test];
    const { status, stdout } = spawnSync(process.execPath, argv, {
      ...{ env, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 },
    });
    // One test a kill, below those that choose them.
    const kills = [...stdout.matchAll(/^ {4}(?:not )?ok /gm)].length;
    const failed = [...stdout.matchAll(/^ {4}not ok .*/gm)].map(([line]) => line.trim());
    const violations = failed.length > 0 || status === 0 ? failed : [stdout.slice(-4000)];
    sayAll(violations);
    return Promise.resolve({ figures: { kills }, violations });
  });
}

const PARTS = {
  kills,
  faults,
  devices: fullDevices,
  races,
  swaps,
  crowds,
  flips,
  power,
  plugs,
  links,
  soak: soakIt,
  booted,
};

if (options.help) process.stdout.write(HELP);
else {
  say(`seed ${report.seed}`);
  for (const [part, run] of Object.entries(PARTS))
    if (options.only?.includes(part) ?? true) await run();
  process.stdout.write(report.finish());
  if (report.violations > 0) process.exitCode = 1;
}
