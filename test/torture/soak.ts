import { statSync } from 'node:fs';
import { join } from 'node:path';

import { listContainers } from '../../src/containers/list-containers.js';
import { listImages } from '../../src/containers/list-images.js';
import { recoverAll } from '../../src/containers/recover-all.js';
import { pathsInFolder } from '../support/host-tree-paths.js';
import { checkInvariants } from './check-invariants.js';
import { runBerth, whileRunning } from './crowd.js';
import { addSmallImage } from './small-image.js';
import { onTree } from './tree-host.js';

/** What a soak came to. */
export interface SoakResult {
  readonly commands: number;
  readonly kills: number;
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
}

/** Longest life of a command before it is killed, in milliseconds: about as long as most take undisturbed. */
const LIFE_MS = 800;
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
  const { rounds } = await whileRunning(soaked.run(), () => soaked.look());
  return { ...soaked.counts, looks: rounds, violations: soaked.violations };
}

type Version = 'absent' | 'one' | 'two';

class Soak {
  readonly violations: string[] = [];
  readonly counts = { commands: 0, kills: 0 };
  readonly #options: SoakOptions;
  readonly #root: string;
  readonly #images: Readonly<Record<'one' | 'two', string>>;
  /** What the container may be: one version, or two after a kill. */
  #possible: ReadonlySet<Version> = new Set(['absent']);

  constructor(options: SoakOptions) {
    this.#options = options;
    this.#root = join(options.folder, 'root');
    pathsInFolder(this.#root);
    const layout = join(options.folder, 'layout');
    const size = { files: 3, layers: 2, hostFiles: 3 };
    this.#images = {
      one: addSmallImage(layout, { tag: 'one', version: '1', ...size }),
      two: addSmallImage(layout, { tag: 'two', version: '2', ...size }),
    };
  }

  async run(): Promise<void> {
    const end = performance.now() + this.#options.minutes * 60_000;
    while (performance.now() < end && this.violations.length < 20) {
      await this.#command();
      if (this.counts.commands % CHECK_EVERY === 0) await this.#check();
    }
    await this.#check();
  }

  /** list and images list, in this process; nothing may be shown as damaged. */
  async look(): Promise<void> {
    await onTree(this.#root, async (host) => {
      for (const { name, error } of (await listContainers(host)).damaged)
        this.violations.push(`I14 list shows '${name}' as damaged: ${String(error)}`);
      await listImages({ ...host, onEvent: ({ text }) => this.violations.push(`I14 ${text}`) });
    });
  }

  async #command(): Promise<void> {
    const { random } = this.#options;
    const wanted = random() < 0.5 ? 'one' : 'two';
    const image = this.#images[wanted];
    const choices: readonly {
      readonly args: readonly string[];
      readonly leads: Version | 'stays';
    }[] = [
      { args: ['install', '--name', 'small', image], leads: wanted },
      { args: ['update', '--retry', '--rebase', image, 'small'], leads: wanted },
      { args: ['uninstall', '--purge', 'small'], leads: 'absent' },
      { args: ['pull', image], leads: 'stays' },
      { args: ['recover'], leads: 'stays' },
    ];
    const choice = choices[Math.floor(random() * choices.length)];
    if (choice === undefined) return;
    const killed = random() * 10 < KILLED_OF_TEN;
    const ended = await runBerth(this.#root, choice.args, {
      ...(killed ? { killAfterMs: 50 + random() * LIFE_MS } : {}),
    });
    this.counts.commands += 1;
    if (ended.status === 137) this.counts.kills += 1;
    const after = choice.leads === 'stays' ? undefined : choice.leads;
    if (ended.status === 0 && after !== undefined) this.#possible = new Set([after]);
    else if (after !== undefined && ended.status === 137)
      this.#possible = new Set([...this.#possible, after]);
    // 66: it is not installed; 73: another version is.
    if (![0, 66, 73, 137].includes(ended.status))
      this.violations.push(`${choice.args.join(' ')} ended with ${ended.status}: ${ended.stderr}`);
  }

  async #check(): Promise<void> {
    for (const { id, what } of await checkInvariants(this.#root, { moment: 'interrupted' }))
      this.violations.push(`interrupted: ${id} ${what}`);
    await onTree(this.#root, recoverAll);
    for (const { id, what } of await checkInvariants(this.#root, { moment: 'recovered' }))
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
