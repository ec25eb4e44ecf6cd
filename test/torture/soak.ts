import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { listContainers } from '../../src/containers/list-containers.js';
import { listImages } from '../../src/containers/list-images.js';
import { recoverAll } from '../../src/containers/recover-all.js';
import { pathsInFolder } from '../support/host-tree-paths.js';
import { checkInvariants } from './check-invariants.js';
import { type Ended, runBerth, whileRunning } from './crowd.js';
import { addSmallImage, SECRET_VARIABLE } from './small-image.js';
import { onTree } from './tree-host.js';

/** What a soak came to. */
export interface SoakResult {
  readonly commands: number;
  readonly kills: number;
  /** How often each command line ran to its end, by its first words, and how often it was killed. */
  readonly byCommand: Readonly<Record<string, { readonly ended: number; readonly killed: number }>>;
  /** How long it took, in minutes. */
  readonly minutes: number;
  /** Looks of readers meanwhile. */
  readonly looks: number;
  readonly violations: readonly string[];
}

/** Options of {@link soak}. */
export interface SoakOptions {
  /** A folder of its own. */
  readonly folder: string;
  readonly minutes: number;
  /** Gives numbers from 0 to 1: verbs, versions and moments. */
  readonly random: () => number;
  /** Told after each look at the whole tree. */
  readonly onCheck?: (soFar: SoakResult) => void;
}

/** How long commands are thought to take before one of the kind was seen to end, in milliseconds. */
const FIRST_GUESS_MS = 700;
/** Kills come at random between the start and this much of what the command takes undisturbed. */
const LATEST_KILL = 1.1;
/** Of ten commands, so many have another one beside them, which leaves what is installed as it is. */
const ACCOMPANIED_OF_TEN = 4;
/** Of ten commands, so many are killed. */
const KILLED_OF_TEN = 6;
/** How often the whole tree is checked: after so many commands. */
const CHECK_EVERY = 5;

/**
 * Runs commands in random order on one tree, kills most of them at random moments, and has readers look all the time. A
 * model knows which versions may be installed: a command that was killed has been carried out or not; one that said it
 * was is.
 */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const soaked = new Soak(options);
  await whileRunning(soaked.run(), () => soaked.look());
  return soaked.result();
}

type Version = 'absent' | 'one' | 'two';

/** Given to each installation, and looked for everywhere. */
const SECRET = 'tr0ub4dor-and-3-more';
const LOOK = { secrets: [SECRET] };

/** A command line, and what is installed after it: `stays` what was, `other` some version. */
interface Choice {
  readonly args: readonly string[];
  readonly leads: Version | 'stays' | 'other';
}

/** Commands that may run beside any other. */
const BESIDE: readonly (readonly string[])[] = [
  ['images', 'prune'],
  ['images', 'prune', '--all'],
  ['fsck'],
  ['recover'],
  ['list'],
];

class Soak {
  readonly violations: string[] = [];
  readonly #options: SoakOptions;
  readonly #root: string;
  readonly #images: Readonly<Record<'one' | 'two', string>>;
  /** A container of its own, which only goes from version to version with a set. */
  readonly #other: string;
  readonly #secretFile: string;
  readonly #started = performance.now();
  readonly #counts = new Map<string, { ended: number; killed: number }>();
  /** How long a kind of command took when it was last seen to end, in milliseconds. */
  readonly #tookMs = new Map<string, number>();
  #commands = 0;
  #looks = 0;
  /** What the container may be: one version, or two after a kill. */
  #possible: ReadonlySet<Version> = new Set(['absent']);

  constructor(options: SoakOptions) {
    this.#options = options;
    this.#root = join(options.folder, 'root');
    pathsInFolder(this.#root);
    const layout = join(options.folder, 'layout');
    const size = { files: 3, layers: 2, hostFiles: 3 };
    this.#secretFile = join(options.folder, 'password');
    writeFileSync(this.#secretFile, SECRET, { mode: 0o600 });
    this.#images = {
      one: addSmallImage(layout, { tag: 'one', version: '1', ...size }),
      two: addSmallImage(layout, { tag: 'two', version: '2', ...size }),
    };
    this.#other = addSmallImage(layout, { tag: 'other', version: '1', name: 'other', ...size });
    // Of two deployments that are kept the older one is what to go back to; of one there is no way back.
    mkdirSync(join(this.#root, 'etc/berth'), { recursive: true });
    writeFileSync(
      join(this.#root, 'etc/berth/berth.conf'),
      `[deployments]\nkeep = ${options.random() < 0.5 ? 1 : 2}\n`,
    );
  }

  async run(): Promise<void> {
    const end = this.#started + this.#options.minutes * 60_000;
    for (let round = 1; performance.now() < end && this.violations.length < 20; round++) {
      await this.#round();
      if (round % CHECK_EVERY !== 0) continue;
      await this.#check();
      this.#options.onCheck?.(this.result());
    }
    await this.#check();
  }

  result(): SoakResult {
    const counts = [...this.#counts];
    return {
      commands: this.#commands,
      kills: counts.reduce((sum, [, { killed }]) => sum + killed, 0),
      byCommand: Object.fromEntries(counts),
      minutes: (performance.now() - this.#started) / 60_000,
      looks: this.#looks,
      violations: this.violations,
    };
  }

  /** list and images list, in this process; nothing may be shown as damaged. */
  async look(): Promise<void> {
    this.#looks += 1;
    await onTree(this.#root, async (host) => {
      for (const { name, error } of (await listContainers(host)).damaged)
        this.violations.push(`I14 list shows '${name}' as damaged: ${String(error)}`);
      await listImages({ ...host, onEvent: ({ text }) => this.violations.push(`I14 ${text}`) });
    });
  }

  /** One command that may change what is installed, and perhaps one beside it. */
  async #round(): Promise<void> {
    const { random } = this.#options;
    const choice = pick(this.#choices(), random);
    const beside = random() * 10 < ACCOMPANIED_OF_TEN ? pick(BESIDE, random) : undefined;
    const [ended] = await Promise.all([
      this.#command(choice.args),
      ...(beside === undefined ? [] : [this.#beside(beside)]),
    ]);
    this.#judge(choice.args, ended);
    const { leads } = choice;
    if (leads === 'stays') return;
    const after: readonly Version[] = leads === 'other' ? ['one', 'two'] : [leads];
    if (ended.status === 0) this.#possible = new Set(after);
    else if (ended.status === 137) this.#possible = new Set([...this.#possible, ...after]);
  }

  async #beside(args: readonly string[]): Promise<void> {
    this.#judge(args, await this.#command(args));
  }

  #choices(): readonly Choice[] {
    const wanted = this.#options.random() < 0.5 ? 'one' : 'two';
    const image = this.#images[wanted];
    const value = `${SECRET_VARIABLE}=@${this.#secretFile}`;
    return [
      { args: ['install', '--name', 'small', '--set', value, image], leads: wanted },
      { args: ['update', '-y', '--retry', '--rebase', image, 'small'], leads: wanted },
      { args: ['update', '-y', '--retry', '--rebase', image, 'small'], leads: wanted },
      { args: ['rollback', 'small'], leads: 'other' },
      { args: ['rollback', '@pair'], leads: 'other' },
      { args: ['update', '-y', '--no-pull', '@pair'], leads: 'stays' },
      { args: ['update', '-y', '--all'], leads: 'stays' },
      { args: ['uninstall', '--purge', 'small'], leads: 'absent' },
      { args: ['uninstall', 'small'], leads: 'absent' },
      { args: ['install', '--name', 'other', '--set', value, this.#other], leads: 'stays' },
      { args: ['uninstall', '--purge', 'other'], leads: 'stays' },
      { args: ['sets', 'create', 'pair', 'other', 'small'], leads: 'stays' },
      { args: ['sets', 'delete', 'pair'], leads: 'stays' },
      { args: ['pin', 'small'], leads: 'stays' },
      { args: ['pin', '--remove', 'small'], leads: 'stays' },
      { args: ['policy', 'small', '--mode', 'apply'], leads: 'stays' },
      { args: ['auto-update'], leads: 'stays' },
      { args: ['images', 'tag', image, 'localhost/kept'], leads: 'stays' },
      { args: ['images', 'delete', 'localhost/kept'], leads: 'stays' },
      { args: ['apply', 'small'], leads: 'stays' },
      { args: ['pull', image], leads: 'stays' },
      ...BESIDE.map((args) => ({ args, leads: 'stays' }) as const),
    ];
  }

  /** Runs a command, killed at a moment of its life or left alone. */
  async #command(args: readonly string[]): Promise<Ended> {
    const { random } = this.#options;
    const kind = args.filter((word) => !/[:=]/.test(word)).join(' ');
    const isKilled = random() * 10 < KILLED_OF_TEN;
    const usualMs = this.#tookMs.get(kind) ?? FIRST_GUESS_MS;
    const started = performance.now();
    const ended = await runBerth(this.#root, args, {
      ...(isKilled ? { killAfterMs: random() * LATEST_KILL * usualMs } : {}),
    });
    const counts = this.#counts.get(kind) ?? { ended: 0, killed: 0 };
    this.#counts.set(kind, counts);
    this.#commands += 1;
    if (ended.status === 137) counts.killed += 1;
    else {
      counts.ended += 1;
      if (ended.status === 0) this.#tookMs.set(kind, performance.now() - started);
    }
    return ended;
  }

  #judge(args: readonly string[], { status, stdout, stderr }: Ended): void {
    if (stdout.includes(SECRET) || stderr.includes(SECRET))
      this.violations.push(`I16 ${args.join(' ')} told a secret: ${stdout}${stderr}`);
    if (!ALLOWED.has(status))
      this.violations.push(`${args.join(' ')} ended with ${status}: ${stderr}`);
  }

  async #check(): Promise<void> {
    for (const { id, what } of await checkInvariants(this.#root, {
      ...LOOK,
      moment: 'interrupted',
    })) {
      // Two commands may have been killed since the last look, each in the middle.
      if (id !== 'I13') this.violations.push(`interrupted: ${id} ${what}`);
    }
    await onTree(this.#root, recoverAll);
    for (const { id, what } of await checkInvariants(this.#root, { ...LOOK, moment: 'recovered' }))
      this.violations.push(`recovered: ${id} ${what}`);
    const is = this.#version();
    if (!this.#possible.has(is))
      this.violations.push(
        `the model: ${is}, but ${[...this.#possible].join(' or ')} was expected`,
      );
    this.#possible = new Set([is]);
  }

  #version(): Version {
    const has = (version: string): boolean =>
      statSync(join(this.#root, `etc/small/version-${version}.conf`), {
        throwIfNoEntry: false,
      }) !== undefined;
    return has('1') ? 'one' : has('2') ? 'two' : 'absent';
  }
}

/** 66: it is not installed, or has no earlier deployment; 73: another version is; 75: it is being changed; 137: killed. */
const ALLOWED: ReadonlySet<number> = new Set([0, 66, 73, 75, 137]);

function pick<T>(choices: readonly T[], random: () => number): T {
  const choice = choices[Math.floor(random() * choices.length)];
  if (choice === undefined) throw new Error('there is nothing to choose from');
  return choice;
}
