import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { ExitStatus } from '../../src/errors/exit-status.js';
import { runCommand, runOk } from '../support/run-command.js';
import { checkInvariants, STORE } from './check-invariants.js';
import { PROGRAM } from './program.js';
import type { Outcome } from './report.js';
import { supervise } from './supervise.js';
import { onTree } from './tree-host.js';
import { compareStates, readTreeState, stateWithout, type TreeState } from './tree-state.js';
import { TOLD_TO_RECOVER, type TorturedVerb } from './tortured-verb.js';
import { prepareTree, SMALL, torturedVerbs } from './verbs.js';

/** A real file system that refuses something, in so many steps: each step refuses a little less, or later. */
export interface Device {
  readonly name: string;
  readonly steps: number;
  /** Mounts it on `folder`, as it is at a step; `image` is a place for a file with the disk. */
  mount(at: {
    readonly folder: string;
    readonly image: string;
    readonly step: number;
  }): Promise<void>;
  /** Makes it refuse, before the command runs; those that are full by themselves need nothing. */
  refuse?(folder: string): Promise<void>;
  /** Makes it refuse while the command is held, in place of {@link refuse}. */
  refuseMeanwhile?(folder: string): Promise<void>;
  /** Ends the refusal. */
  relent(folder: string): Promise<void>;
}

async function mountLoop(
  { folder, image }: { readonly folder: string; readonly image: string },
  ...options: readonly string[]
): Promise<void> {
  rmSync(image, { force: true });
  await runOk(['truncate', '--size=24M', image]);
  await runOk(['mkfs.ext4', '-q', '-F', ...options, image]);
  await runOk(['mount', '-o', 'loop', image, folder]);
}

/** Room for the tree that every system has, without anything of berth. */
const LEAST_KIB = 200;
const LEAST_INODES = 48;

const DEVICES: readonly Device[] = [
  {
    name: 'tmpfs without room',
    steps: 24,
    mount: async ({ folder, step }) => {
      const size = `size=${LEAST_KIB + step * 48}k`;
      await runOk(['mount', '-t', 'tmpfs', '-o', size, 'tmpfs', folder]);
    },
    relent: (folder) => remount(folder, 'size=64m'),
  },
  {
    name: 'tmpfs without inodes',
    steps: 24,
    mount: async ({ folder, step }) => {
      const inodes = `nr_inodes=${LEAST_INODES + step * 12}`;
      await runOk(['mount', '-t', 'tmpfs', '-o', inodes, 'tmpfs', folder]);
    },
    relent: (folder) => remount(folder, 'nr_inodes=10000'),
  },
  {
    name: 'ext4 without room',
    steps: 12,
    mount: (at) => mountLoop(at, '-m', '0'),
    refuse: async (folder) => {
      const { stdout } = await runCommand(['df', '--output=avail', '-k', folder]);
      const free = Number(stdout.split('\n')[1]);
      await runOk(['fallocate', '-l', `${Math.max(free - 64, 4)}K`, join(folder, 'ballast')]);
    },
    relent: (folder) => {
      rmSync(join(folder, 'ballast'));
      return Promise.resolve();
    },
  },
  {
    name: 'ext4 without inodes',
    steps: 6,
    mount: (at) => mountLoop(at, '-N', String(LEAST_INODES + 32 + at.step * 16)),
    relent: () => Promise.resolve(),
  },
  {
    name: 'ext4 turned read-only meanwhile',
    steps: 16,
    mount: (at) => mountLoop(at),
    // As the kernel does it by itself after an error; a plain remount would wait for who writes.
    refuseMeanwhile: async (folder) => {
      await runCommand(['mount', '-o', 'remount,ro', folder]);
    },
    relent: (folder) => remount(folder, 'rw'),
  },
  {
    name: 'ext4 with a folder that takes nothing',
    steps: 3,
    mount: (at) => mountLoop(at),
    refuse: async (folder) => {
      for (const place of ['root/etc', 'root/etc/systemd/system'])
        await runOk(['chattr', '+i', join(folder, place)]);
    },
    relent: async (folder) => {
      for (const place of ['root/etc', 'root/etc/systemd/system'])
        await runOk(['chattr', '-i', join(folder, place)]);
    },
  },
];

/** What a machine without a device mapper has: file systems that are full, have no inodes, or take no writes. */
export function devices(): readonly Device[] {
  return DEVICES;
}

async function remount(folder: string, option: string): Promise<void> {
  await runOk(['mount', '-o', `remount,${option}`, folder]);
}

/** Verbs that write much; on each of them a device is tried at each of its steps. */
const VERBS = ['install', 'pull', 'uninstall'];

/**
 * Runs commands on a file system that refuses: each ends as documented, what was installed is as before, and once the
 * file system takes writes again the same command succeeds.
 */
export async function exhaust(device: Device, folder: string, limit = Infinity): Promise<Outcome> {
  const verbs = torturedVerbs(join(folder, 'images'), SMALL).filter(({ name }) =>
    VERBS.includes(name),
  );
  const violations: string[] = [];
  const counts = { runs: 0, refused: 0 };
  const steps = Math.min(device.steps, limit);
  for (const verb of verbs) {
    for (let step = 0; step < steps; step++) {
      const spread = Math.floor((step * device.steps) / steps);
      const where = `${verb.name} on ${device.name}, step ${spread}`;
      const found = await tryStep({ device, verb, folder, step: spread });
      if (found === undefined) continue;
      counts.runs += 1;
      if (found.refused) counts.refused += 1;
      violations.push(...found.wrong.map((what) => `${where}: ${what}`));
    }
  }
  return { figures: { ...counts }, violations };
}

interface Step {
  readonly device: Device;
  readonly verb: TorturedVerb;
  readonly folder: string;
  readonly step: number;
}

/** Undefined where there was not even room for the start. */
async function tryStep(
  at: Step,
): Promise<{ refused: boolean; wrong: readonly string[] } | undefined> {
  const { device, verb, step } = at;
  const disk = join(at.folder, 'disk');
  mkdirSync(disk, { recursive: true });
  await device.mount({ folder: disk, image: join(at.folder, 'image'), step });
  try {
    const root = join(disk, 'root');
    if (!(await isPrepared(root, verb))) return undefined;
    const old = readTreeState(root);
    await device.refuse?.(disk);
    const run = await runRefused(at, root);
    const wrong: string[] = [];
    if (run.status !== 0) wrong.push(...judge(run, { root, old, verb }));
    await device.relent(disk);
    if (device.name !== 'ext4 without inodes' || run.status === 0)
      wrong.push(...(await lookAgain(root, verb)));
    return { refused: run.status !== 0, wrong };
  } finally {
    await runOk(['umount', '--lazy', disk]);
  }
}

async function isPrepared(root: string, verb: TorturedVerb): Promise<boolean> {
  try {
    mkdirSync(root);
    await prepareTree(root, verb, onTree);
    return true;
  } catch {
    return false;
  }
}

async function runRefused(
  { device, verb, folder, step }: Step,
  root: string,
): Promise<{ readonly status: number; readonly stderr: string }> {
  const argv = [process.execPath, PROGRAM, '--root', root, ...verb.argv];
  if (device.refuseMeanwhile === undefined) return runCommand(argv);
  return supervise(argv, {
    roots: [root],
    hold: {
      at: 1 + step * MEANWHILE_EVERY,
      meanwhile: async () => {
        await device.refuseMeanwhile?.(join(folder, 'disk'));
      },
    },
  });
}

/** Calls between two moments at which a file system is changed under a command. */
const MEANWHILE_EVERY = 15;

const DOCUMENTED: ReadonlySet<number> = new Set(
  Object.values(ExitStatus).filter((status) => status !== ExitStatus.internal),
);

function judge(
  run: { readonly status: number; readonly stderr: string },
  {
    root,
    old,
    verb,
  }: { readonly root: string; readonly old: TreeState; readonly verb: TorturedVerb },
): readonly string[] {
  const wrong: string[] = [];
  if (!DOCUMENTED.has(run.status) || /internal error|^ {4}at /m.test(run.stderr))
    wrong.push(`ended with ${run.status}: ${run.stderr}`);
  // One that cannot take back what it did says so, and leaves it to recovery.
  if (!verb.takesBack || TOLD_TO_RECOVER.test(run.stderr)) return wrong;
  const actual = stateWithout(readTreeState(root), [STORE, 'var/lib/berth/.journal']);
  const lines = compareStates(stateWithout(old, [STORE, 'var/lib/berth/.journal']), actual);
  if (lines.length > 0) wrong.push(`failed, and left:\n  ${lines.join('\n  ')}\n${run.stderr}`);
  return wrong;
}

/** The same command again, when the file system takes writes. */
async function lookAgain(root: string, verb: TorturedVerb): Promise<readonly string[]> {
  try {
    await onTree(root, (host) => verb.again(host));
  } catch (error) {
    return [`the same again failed: ${String(error)}`];
  }
  const { secrets = [] } = verb;
  const wrong = await checkInvariants(root, { moment: 'recovered', secrets });
  return wrong.map(({ id, what }) => `the same again: ${id} ${what}`);
}
