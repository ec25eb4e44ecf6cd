import assert from 'node:assert/strict';
import { copyFile, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { projectRoot } from '../support/cache-folder.js';
import { MACHINE_BERTH, putBerthInto } from '../support/machine-berth.js';
import { onMachine } from '../support/on-machine.js';
import { pushProbeService } from '../support/probe-image.js';
import { startRegistry } from '../support/registry.js';
import type { WholeMachine } from '../support/whole-machine.js';

// The power goes in the middle of an update that changes the text of the unit; the next boot brings the host in order
// before the container starts.

/** Time for a command of berth in emulation, where it takes ten times as long. */
const COMMAND_TIMEOUT_MS = 120_000;

/** Just before and just after the rename that commits an update, and which version is to run after the boot. */
const MOMENTS = [
  { hang: 'before', link: 'steady.0', version: 'one' },
  { hang: 'after', link: 'steady.1', version: 'two' },
] as const;

test('a boot after a power cut recovers an update before the container starts', async (t) => {
  await using registry = await startRegistry();
  for (const version of ['one', 'two']) {
    await pushProbeService(registry.target(version), {
      args: ['ready'],
      service: ['Type=notify', `Environment=VERSION=${version}`],
    });
  }
  const image = `10.0.2.2:${registry.port}`;
  const prepare = async (tree: string): Promise<void> => {
    await putBerthInto(tree, registry);
    await copyFile(
      join(projectRoot, 'test/fixtures/machine/hang.mjs'),
      join(tree, 'opt/berth/hang.mjs'),
    );
  };
  await onMachine({ suite: 'trixie', prepare }, async (machine) => {
    const install = `install --system --start --name steady ${image}/one`;
    await machine.sh(`${MACHINE_BERTH} ${install}`, COMMAND_TIMEOUT_MS);
    for (const { hang, link, version } of MOMENTS) {
      await machine.begin(
        `HANG=${hang} NODE_OPTIONS=--import=/opt/berth/hang.mjs ${MACHINE_BERTH} update -y --no-wait --rebase ${image}/two steady`,
      );
      await machine.sh('until [ -e /run/hanging ]; do sleep 0.2; done; sync', COMMAND_TIMEOUT_MS);
      await machine.powerCut();
      await machine.withDisk(async (root) => {
        const state = join(root, 'var/lib/berth');
        assert.equal(await readlink(join(state, 'steady')), link);
        assert.deepEqual(await readdir(join(state, '.journal')), ['steady.json']);
        const unit = await readFile(join(root, 'etc/systemd/system/steady.service'), 'utf8');
        assert.match(unit, /VERSION=one/, 'the cut came too late to prove anything');
      });

      await machine.start();
      const environment = await show(machine, 'steady.service', 'Environment');
      assert.equal(environment, `VERSION=${version}`, `cut ${hang} the link`);
      assert.equal(await show(machine, 'steady.service', 'ActiveState'), 'active');
      assert.equal(await show(machine, 'steady.service', 'NRestarts'), '0');
      const recovered = await show(machine, RECOVERY, 'ExecMainExitTimestampMonotonic');
      const started = await show(machine, 'steady.service', 'ExecMainStartTimestampMonotonic');
      t.diagnostic(`cut ${hang} the link: recovered at ${recovered} µs, started at ${started} µs`);
      assert.ok(Number(recovered) > 0, 'nothing was recovered at boot');
      assert.ok(Number(recovered) < Number(started), 'the container did not wait');
      assert.equal(await machine.sh('ls -A /var/lib/berth/.journal'), '');
    }
  });
});

const RECOVERY = 'berth-recover.service';

async function show(machine: WholeMachine, unit: string, property: string): Promise<string> {
  return (await machine.sh(`systemctl show --value --property=${property} ${unit}`)).trim();
}
