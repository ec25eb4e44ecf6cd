import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MACHINE_BERTH, putBerthInto } from '../support/machine-berth.js';
import { onMachine } from '../support/on-machine.js';
import { pushStockProbe } from '../support/probe-image.js';
import { startRegistry } from '../support/registry.js';
import type { WholeMachine } from '../support/whole-machine.js';
import { pullPlugs } from '../torture/plug-pulls.js';

const SEED = Number(process.env['BERTH_TEST_SEED'] ?? 1);

/** Time for a command of berth in emulation, where it takes ten times as long. */
const COMMAND_TIMEOUT_MS = 120_000;

test('a whole machine is installed on, reboots, and has its plug pulled', async () => {
  await using registry = await startRegistry();
  await pushStockProbe(registry.target('steady'), { Entrypoint: ['/probe', 'ready'] });
  const prepare = (tree: string): Promise<void> => putBerthInto(tree, registry);
  await onMachine({ suite: 'trixie', prepare }, async (machine) => {
    const reference = `10.0.2.2:${registry.port}/steady`;
    await machine.sh(`${MACHINE_BERTH} install --system --start ${reference}`, COMMAND_TIMEOUT_MS);
    assert.equal(await activeState(machine, 'steady'), 'active');
    await machine.reboot();
    assert.equal(await activeState(machine, 'steady'), 'active', 'not started at boot');

    await machine.powerCut();
    await machine.checkDisk();
    await machine.start();
    assert.equal(await activeState(machine, 'steady'), 'active', 'lost with the power');
  });
});

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
