import { mkdirSync } from 'node:fs';

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

const MANAGER = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1'];
const call = (member: string): Contender => ({
  what: `systemd: ${member}`,
  run: () => {
    mustRun('busctl', ['call', ...MANAGER, 'org.freedesktop.systemd1.Manager', member]);
  },
});
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

/** An installation from the store, and what systemd's part in it takes by itself. */
async function measureInstall(which: string): Promise<readonly Figure[]> {
  return compare(`install of the ${which} container, enabled`, ROUNDS, [
    {
      what: 'berth install',
      run: () => {
        mustRun('node', [berth, 'install', '--system', '--name', 'other', reference]);
      },
      cleanUp: () => {
        mustRun('node', [berth, 'uninstall', 'other']);
      },
    },
    call('Reload'),
    call('GetDefaultTarget'),
    node,
  ]);
}

/** The same with systemd's Reload taken off, which is the one thing that berth can do nothing about. */
function besideEachOther(): readonly Figure[] {
  const group = 'install without the Reload of systemd';
  return [
    { figures: last, what: `the ${MANY}th container` },
    { figures: first, what: 'the 1st container' },
  ].map(({ figures: [install, reload, nothing], what }) => ({
    group,
    what,
    runs: ROUNDS,
    medianMs:
      (install?.medianMs ?? 0) - Math.max(0, (reload?.medianMs ?? 0) - (nothing?.medianMs ?? 0)),
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
