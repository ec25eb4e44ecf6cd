import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { test } from 'node:test';

import { debianImageLayers } from '../support/debian-image.js';
import { MACHINE_BERTH, putBerthInto } from '../support/machine-berth.js';
import { onMachine } from '../support/on-machine.js';
import { addLibostree } from '../support/ostree-on-host.js';
import { pushImage } from '../support/push-image.js';
import { startRegistry } from '../support/registry.js';
import { runOk, type CommandResult } from '../support/run-command.js';
import { buildLayer, sha256 } from '../support/tar-builder.js';
import type { WholeMachine } from '../support/whole-machine.js';
import { pullPlugs } from '../torture/plug-pulls.js';

const SEED = Number(process.env['BERTH_TEST_SEED'] ?? 1);

/** Time for a command of berth in emulation, where it takes ten times as long. */
const COMMAND_TIMEOUT_MS = 120_000;

/** In an OSTree repository whose files fs-verity seals, on a file system that has it. */
const BERTH_CONF = '[storage]\nbackend = "ostree"\nostree-fs-verity = "yes"\n';
const OBJECTS = '/var/lib/berth/.ostree/objects';
const DATA = '/var/lib/berth/steady/rootfs/data';
const CONTENT = Buffer.from('data '.repeat(20_000));
const BLOCK_BYTES = 4096;

test('a whole machine is installed on, reboots, has its plug pulled, and shows what its disk has changed', async () => {
  await using registry = await startRegistry();
  const [probe = ''] = await debianImageLayers('probe');
  const data = buildLayer([{ path: 'data', content: CONTENT }]);
  await pushImage(registry.target('steady'), 'latest', {
    layers: [{ content: { path: probe } }, { content: data.blob }],
    process: { Entrypoint: ['/probe', 'ready'] },
  });
  const prepare = async (tree: string): Promise<void> => {
    await putBerthInto(tree, registry);
    await addLibostree(tree, 'trixie');
    mkdirSync(`${tree}/etc/berth`);
    writeFileSync(`${tree}/etc/berth/berth.conf`, BERTH_CONF);
  };
  await onMachine({ suite: 'trixie', prepare, features: 'verity' }, async (machine) => {
    const berth = (...args: string[]): Promise<CommandResult> =>
      machine.run(`${MACHINE_BERTH} ${args.join(' ')}`, COMMAND_TIMEOUT_MS);
    const reference = `10.0.2.2:${registry.port}/steady`;
    const installed = await berth('install', '--system', '--start', reference);
    assert.equal(installed.status, 0, installed.stderr);
    assert.equal(await activeState(machine, 'steady'), 'active');
    const object = (await machine.sh(`find ${OBJECTS} -samefile ${DATA}`)).trim();
    assert.match(object, /\.file$/, 'the checkout has the file of the repository');
    const write = `echo x >>${DATA}`;
    assert.match((await machine.run(write)).stderr, /Operation not permitted/);
    await machine.reboot();
    assert.equal(await activeState(machine, 'steady'), 'active', 'not started at boot');

    await machine.powerCut();
    await machine.checkDisk();
    await changeOnDisk(machine.disk, object);
    await machine.start();
    assert.equal(await activeState(machine, 'steady'), 'active', 'lost with the power');
    const read = await machine.run(`cat ${DATA}`);
    assert.match(read.stderr, /Input\/output error/, 'what the disk has changed is not given');
    const found = await berth('fsck', '--repair');
    assert.match(found.stdout + found.stderr, /Input\/output error/);
    assert.equal(
      await machine.sh(`sha256sum <${DATA}`),
      `${sha256(CONTENT).slice('sha256:'.length)}  -\n`,
    );
    assert.match((await machine.run(write)).stderr, /Operation not permitted/);
    const again = await berth('fsck');
    assert.equal(again.status, 0, again.stdout + again.stderr);
  });
});

/** Changes a block of a file behind the back of everybody, on the disk of a machine that is off. */
async function changeOnDisk(disk: string, path: string): Promise<void> {
  assert.match(await runOk(['debugfs', '-R', `stat ${path}`, disk]), /Flags: 0x1\d{5}\b/, 'verity');
  const blocks = (await runOk(['debugfs', '-R', `blocks ${path}`, disk])).trim().split(/\s+/);
  const file = await open(disk, 'r+');
  try {
    await file.write(Buffer.alloc(10, 'X'), 0, 10, Number(blocks[3]) * BLOCK_BYTES);
  } finally {
    await file.close();
  }
}

test('the plug is pulled in the middle of what berth does', async (t) => {
  const pulls = await pullPlugs({ pulls: 5, seed: SEED });
  for (const { command, afterMs, wasDone, found } of pulls)
    t.diagnostic(
      `${command}: cut after ${afterMs} ms${wasDone ? ', when it was done' : ''}, ${found} installed (seed ${SEED})`,
    );
  assert.deepEqual(
    pulls.flatMap(({ number, violations }) => violations.map((text) => `${number}: ${text}`)),
    [],
  );
  assert.equal(pulls.length, 5);
  assert.ok(pulls.some(({ wasDone }) => wasDone));
  assert.ok(
    pulls.some(({ wasDone }) => !wasDone),
    'no command was cut off',
  );
});

async function activeState(machine: WholeMachine, name: string): Promise<string> {
  return (await machine.sh(`systemctl show --value --property=ActiveState ${name}.service`)).trim();
}
