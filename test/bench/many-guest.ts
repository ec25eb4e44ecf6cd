import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

import { installMany } from './install-many.js';
import { compare, type Contender, type Figure } from './measure.js';
import { mustRun } from './must-run.js';

/*
 * On the host: one small image, installed once and a thousand times. The containers in between are installed into the running
 * tree as into one that does not run, all in this process, which takes a minute in place of ten; systemd reads them all then.
 */

const MANY = 1000;
const ROUNDS = 9;

const [reference = ''] = process.argv.slice(2);
const berth = '/opt/berth/dist/bin/berth.cjs';

/**
 * Loaded into berth before it starts: writes down how long systemd let it wait for the answer to `Reload`. The same call made by
 * itself, before or after, takes a tenth more or less, which where there are a thousand units is more than what is looked for.
 */
const CLOCK = '/run/reload-clock.cjs';
const CLOCK_FILE = '/run/reload-clock';
writeFileSync(
  CLOCK,
  `const { Socket } = require('node:net');
  const { writeFileSync } = require('node:fs');
  const { write, emit } = Socket.prototype;
  let asked;
  Socket.prototype.write = function (bytes, ...more) {
    if (Buffer.isBuffer(bytes) && bytes.includes('\\0Reload\\0')) asked = performance.now();
    return write.call(this, bytes, ...more);
  };
  Socket.prototype.emit = function (event, ...more) {
    if (event === 'data' && asked !== undefined) {
      writeFileSync('${CLOCK_FILE}', String(performance.now() - asked));
      asked = undefined;
    }
    return emit.call(this, event, ...more);
  };`,
);

const node: Contender = {
  what: 'node -e 0',
  run: () => {
    mustRun('node', ['-e', '0']);
  },
};

mustRun('node', [berth, 'pull', reference]);
const first = await measureInstall('1st');
await fill(MANY - 1);
mustRun('systemctl', ['daemon-reload']);
const last = await measureInstall(`${MANY}th`);
mustRun('node', [berth, 'install', '--system', '--name', 'last', reference]);
const lists = await compare(`list of ${MANY} containers`, ROUNDS, [
  {
    what: 'berth list',
    run: () => {
      mustRun('node', [berth, 'list']);
    },
  },
  node,
]);
process.stdout.write(JSON.stringify([...first, ...last, ...besideEachOther(), ...lists]));

/** An installation from the store, and what of it is systemd's answer to `Reload`. */
async function measureInstall(which: string): Promise<readonly Figure[]> {
  const group = `install of the ${which} container, enabled`;
  const waits: number[] = [];
  const rest: number[] = [];
  const figures = await compare(group, ROUNDS, [
    {
      what: 'berth install',
      run: () => {
        const start = performance.now();
        const words = ['install', '--system', '--name', 'other', reference];
        mustRun('node', ['-r', CLOCK, berth, ...words]);
        const ms = performance.now() - start;
        const waited = Number(readFileSync(CLOCK_FILE, 'utf8'));
        waits.push(waited);
        rest.push(ms - waited);
      },
      cleanUp: () => {
        mustRun('node', [berth, 'uninstall', 'other']);
      },
    },
    node,
  ]);
  const of = (what: string, taken: readonly number[]): Figure => ({
    ...{ group, what, runs: ROUNDS },
    medianMs: [...taken].sort((a, b) => a - b)[Math.floor(taken.length / 2)] ?? Number.NaN,
  });
  return [...figures, of('of it, waiting for Reload', waits), of('of it, the rest', rest)];
}

/** The same with systemd's Reload taken off, which is the one thing that berth can do nothing about. */
function besideEachOther(): readonly Figure[] {
  const group = 'install without the Reload of systemd';
  return [
    { figures: last, what: `the ${MANY}th container` },
    { figures: first, what: 'the 1st container' },
  ].map(({ figures, what }) => ({
    ...{ group, what, runs: ROUNDS },
    medianMs: figures.at(-1)?.medianMs ?? Number.NaN,
  }));
}

async function fill(count: number): Promise<void> {
  const tree = '/run/bench-tree';
  mkdirSync(tree);
  mustRun('mount', ['--bind', '/', tree]);
  const names = Array.from(
    { length: count },
    (_, index) => `many${String(index + 1).padStart(4, '0')}`,
  );
  await installMany(tree, names, reference);
  mustRun('umount', [tree]);
}
