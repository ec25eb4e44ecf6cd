import assert from 'node:assert/strict';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { projectRoot } from '../support/cache-folder.js';
import { hostNode } from '../support/host-node.js';
import { onMachine } from '../support/on-machine.js';
import { pushStockProbe } from '../support/probe-image.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import { runOk } from '../support/run-command.js';
import type { WholeMachine } from '../support/whole-machine.js';

const BERTH = 'node /opt/berth/dist/src/main.js';

/** Time for a command of berth in emulation, where Node alone takes seconds to start. */
const COMMAND_TIMEOUT_MS = 180_000;

test('a whole machine is installed on, reboots, and has its plug pulled', async () => {
  await using registry = await startRegistry();
  await pushStockProbe(registry.target('steady'), { Entrypoint: ['/probe', 'ready'] });
  const prepare = (tree: string): Promise<void> => putBerthInto(tree, registry);
  await onMachine({ suite: 'trixie', prepare }, async (machine) => {
    const reference = `10.0.2.2:${registry.port}/steady`;
    await machine.sh(`${BERTH} install --system --start ${reference}`, COMMAND_TIMEOUT_MS);
    assert.equal(await activeState(machine, 'steady'), 'active');
    await machine.reboot();
    assert.equal(await activeState(machine, 'steady'), 'active', 'not started at boot');

    await machine.powerCut();
    await machine.checkDisk();
    await machine.start();
    assert.equal(await activeState(machine, 'steady'), 'active', 'lost with the power');
  });
});

test('a plug pulled right after success keeps what was installed', async () => {
  await using registry = await startRegistry();
  await pushStockProbe(registry.target('steady'), { Entrypoint: ['/probe', 'ready'] });
  const prepare = (tree: string): Promise<void> => putBerthInto(tree, registry);
  await onMachine({ suite: 'trixie', prepare }, async (machine) => {
    const reference = `10.0.2.2:${registry.port}/steady`;
    await machine.sh(`${BERTH} install --system ${reference}`, COMMAND_TIMEOUT_MS);
    await machine.powerCut();
    await machine.checkDisk();
    await machine.start();
    assert.equal(await activeState(machine, 'steady'), 'active');
  });
});

/** Copies Node and this checkout's program into a tree, and lets it use the registry of the test without TLS. */
async function putBerthInto(tree: string, registry: RealRegistry): Promise<void> {
  await copyFile(await hostNode(), join(tree, 'usr/bin/node'));
  await mkdir(join(tree, 'opt/berth/dist'), { recursive: true });
  for (const part of ['package.json', 'unit-templates', 'dist/src', 'dist/launcher']) {
    await runOk(['cp', '-r', join(projectRoot, part), join(tree, 'opt/berth', part)]);
  }
  const paths = await runOk(['npm', 'ls', '--omit=dev', '--all', '--parseable'], {
    cwd: projectRoot,
  });
  for (const path of paths.split('\n').filter((line) => line.includes('/node_modules/'))) {
    const target = join(tree, 'opt/berth', path.slice(projectRoot.length));
    await mkdir(join(target, '..'), { recursive: true });
    await runOk(['cp', '-r', '--no-target-directory', path, target]);
  }
  await mkdir(join(tree, 'etc/containers'), { recursive: true });
  await writeFile(
    join(tree, 'etc/containers/registries.conf'),
    `[[registry]]\nlocation = "10.0.2.2:${registry.port}"\ninsecure = true\n`,
  );
}

async function activeState(machine: WholeMachine, name: string): Promise<string> {
  return (await machine.sh(`systemctl show --value --property=ActiveState ${name}.service`)).trim();
}
