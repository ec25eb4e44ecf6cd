import { parseArgs } from 'node:util';

/** What `--help` prints. */
export const HELP = `npm run torture -- [--only PART]… [--verb VERB]… [--json FILE [--resume]] [--seed N] …

Runs berth on trees of \`--root\`, on disks and on whole machines, disturbs it in every way, and checks what is left. A line
for each part as soon as it is done, a table at the end. Exits with 1 if anything was violated.

  --only PART    kills, faults, devices, races, swaps, crowds, flips, power, plugs, links, soak, booted; all of them
                 unless given
  --verb VERB    only this verb (install, uninstall, pull, recover, …)
  --json FILE    write a report that programs can read, after each part
  --resume       leave out what FILE has already; its seed is taken
  --seed N       for what is chosen at random
  --points N     kill points a verb at most; all of them unless given
  --faults N     injected errors a verb at most; 300 unless given
  --pauses N     points a verb at which it is held while another one runs; 20 unless given
  --swaps N      exchanges of a folder for a link, a target; 100000 unless given
  --crowd N      commands at once; 64 unless given, half as many of one name
  --flips N      damages to a store; 10000 unless given
  --states N     states of a disk whose power was cut, in all; 1500 unless given
  --pulls N      times that the plug of a whole machine is pulled; 50 unless given
  --megabytes N  size of the layer that is pulled over links that are cut; 200 unless given
  --booted N     kills of each command on a booted host, with systemd in it; 100 unless given
  --minutes N    how long the soak of random commands and kills takes; 120 unless given
`;

/** The command line of the torture. */
export interface TortureOptions {
  readonly help: boolean;
  readonly only: readonly string[] | undefined;
  readonly verb: readonly string[] | undefined;
  readonly json: string | undefined;
  readonly resume: boolean;
  readonly seed: number;
  readonly points: number;
  readonly faults: number;
  readonly pauses: number;
  readonly swaps: number;
  readonly crowd: number;
  readonly flips: number;
  readonly states: number;
  readonly pulls: number;
  readonly megabytes: number;
  readonly minutes: number;
  readonly booted: number;
}

const NUMBERS = {
  seed: Date.now() % 1_000_000,
  points: Number.MAX_SAFE_INTEGER,
  faults: 300,
  pauses: 20,
  swaps: 100_000,
  crowd: 64,
  flips: 10_000,
  states: 1500,
  pulls: 50,
  megabytes: 200,
  minutes: 120,
  booted: 100,
} as const;

/** Parses the command line of this process. */
export function parseOptions(): TortureOptions {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      verb: { type: 'string', multiple: true },
      json: { type: 'string' },
      resume: { type: 'boolean', default: false },
      ...Object.fromEntries(
        Object.keys(NUMBERS).map((name) => [name, { type: 'string' } as const]),
      ),
    },
  });
  const given = values as Readonly<Record<string, unknown>>;
  const numbers = Object.entries(NUMBERS).map(([name, usual]) => {
    const value = Number(given[name] ?? usual);
    if (!(value >= 0)) throw new Error(`--${name} takes a number`);
    return [name, value] as const;
  });
  return {
    ...(Object.fromEntries(numbers) as Record<keyof typeof NUMBERS, number>),
    help: values.help,
    only: values.only,
    verb: values.verb,
    json: values.json,
    resume: values.resume,
  };
}
