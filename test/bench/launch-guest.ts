import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { ContainerBed, ended, launcher, printed } from '../support/launched-container.js';
import { runtimeConfigDocument } from '../support/runtime-config.js';
import { compare, type Contender } from './measure.js';
import { mustRun } from './must-run.js';

const ROUNDS = 100;
const RESIDENT_ROUNDS = 5;

/** How long after its program runs a container is looked at. */
const SETTLE_MS = 100;

/*
 * On the host: one config.json, run by its launch plan and by runtimes. The last rows are what the others have in them anyway:
 * starting a program from here, and starting Node.
 */

using bed = new ContainerBed();
bed.compile(['exit', '0']);
const document = runtimeConfigDocument({ process: { args: ['/probe', 'exit', '0'] } });
writeFileSync(bed.path('config.json'), JSON.stringify(document));

const version = (program: string): string =>
  execFileSync(program, ['--version'], { encoding: 'utf8' }).split('\n')[0]?.trim() ?? program;
const runBy = (program: string, ...before: readonly string[]) => ({
  what: before.length === 0 ? `${program} run` : 'berth-runtime run',
  run: (round: number) => {
    mustRun(program, [...before, 'run', '--bundle', bed.path(''), `bench-${round}`]);
  },
});

const figures = await compare(
  `start a container that ends at once, until it has ended; ${version('crun')}, ${version('runc')}`,
  ROUNDS,
  [
    {
      what: 'berth: launcher on the plan',
      run: () => {
        mustRun(launcher, [bed.plan]);
      },
    },
    runBy('crun'),
    runBy('runc'),
    runBy('node', '/opt/berth/dist/bin/berth-runtime.cjs'),
    {
      what: 'node -e 0',
      run: () => {
        mustRun('node', ['-e', '0']);
      },
    },
    {
      what: 'the same static program, no container',
      run: () => {
        mustRun(join(bed.rootfs, 'probe'), ['exit', '0']);
      },
    },
  ],
);
/** A container that runs: what starts it, and what of the memory of its tree is not the program's. */
const beside = (what: string, program: string, ...args: readonly string[]): Contender => {
  let child: ChildProcess | undefined;
  return {
    what,
    run: async (_, record) => {
      const start = performance.now();
      child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      await printed(child, 'ready');
      record({ ms: performance.now() - start });
      await sleep(SETTLE_MS); // the program may say so before who started it has let go of what it needed
      const others = treeOf(child.pid ?? 0).filter((pid) => basename(exeOf(pid)) !== 'probe');
      record({ peakBytes: others.reduce((sum, pid) => sum + pssBytes(pid), 0) });
    },
    cleanUp: async () => {
      if (child === undefined) return;
      const end = ended(child);
      for (const pid of treeOf(child.pid ?? 0)) {
        if (basename(exeOf(pid)) === 'probe') process.kill(pid, 'SIGKILL');
      }
      await end;
    },
  };
};

using running = new ContainerBed();
const words = ['say', 'ready', ',', 'sleep', '100'];
running.compile(words);
writeFileSync(
  running.path('config.json'),
  JSON.stringify(runtimeConfigDocument({ process: { args: ['/probe', ...words] } })),
);
using inPlace = new ContainerBed();
inPlace.compile(words, { linux: { namespaces: [{ type: 'ipc' }, { type: 'mount' }] } });
const bundle = ['--bundle', running.path('')];
const residents = await compare(
  'start a container until it runs; peak is what stays beside it (PSS)',
  RESIDENT_ROUNDS,
  [
    beside('berth: launcher on the plan', launcher, running.plan),
    beside('berth: without a pid namespace', launcher, inPlace.plan),
    beside('crun run', 'crun', 'run', ...bundle, 'bench-crun'),
    beside('runc run', 'runc', 'run', ...bundle, 'bench-runc'),
    beside(
      'berth-runtime run',
      'node',
      '/opt/berth/dist/bin/berth-runtime.cjs',
      'run',
      ...bundle,
      'x',
    ),
  ],
);
process.stdout.write(JSON.stringify([...figures, ...residents]));

/** A process and all that come of it. */
function treeOf(pid: number): readonly number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return [pid, ...children.flatMap((child) => (child === '' ? [] : treeOf(Number(child))))];
  } catch {
    return []; // it has ended by now
  }
}

function exeOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return ''; // only its status is left
  }
}

function pssBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? Number.NaN) * 1024;
}
