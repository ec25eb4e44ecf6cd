import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { test } from 'node:test';

import { INSTRUCTIONS, joinPlan, splitPlan } from '../../src/runtime/plan-format.js';
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

/** In an OSTree repository whose files fs-verity seals, on a file system that has it, and roots that nobody alters unnoticed. */
const BERTH_CONF =
  '[storage]\nbackend = "ostree"\nostree-fs-verity = "yes"\nostree-composefs = "yes"\n';
const OBJECTS = '/var/lib/berth/.ostree/objects';
const DEPLOYMENT = '/var/lib/berth/steady';
const DATA = `${DEPLOYMENT}/rootfs/data`;
const CONTENT = Buffer.from('data '.repeat(20_000));
const BLOCK_BYTES = 4096;

test('a whole machine is installed on, reboots, has its plug pulled, and shows what its disk has changed', async () => {
  await using registry = await startRegistry();
  const [probe = ''] = await debianImageLayers('probe');
  const data = buildLayer([
    { path: 'data', content: CONTENT },
    { path: 'other', content: 'other content', mode: 0o640 },
  ]);
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
    await alterCheckout(machine);

    await machine.powerCut();
    await machine.checkDisk();
    await changeOnDisk(machine.disk, object);
    await machine.start();
    assert.equal(await activeState(machine, 'steady'), 'active', 'lost with the power');
    const read = await machine.run(`cat ${DATA}`);
    assert.match(read.stderr, /Input\/output error/, 'what the disk has changed is not given');
    assert.match((await inContainer(machine, 'cat data')).stderr, /Input\/output error/);
    await alterObjectAndImage(machine);
    const verified = await berth('verify', 'steady');
    for (const named of [
      /rootfs\/data: .*content/,
      /rootfs\/new: /,
      /root-[0-9a-f]+\.erofs: it is not sealed/,
    ])
      assert.match(verified.stdout, named, verified.stderr);

    const found = await berth('fsck', '--repair');
    assert.match(found.stdout + found.stderr, /Input\/output error/);
    assert.equal(
      await machine.sh(`sha256sum <${DATA}`),
      `${sha256(CONTENT).slice('sha256:'.length)}  -\n`,
    );
    assert.match((await machine.run(write)).stderr, /Operation not permitted/);
    await machine.sh('systemctl restart steady');
    assert.equal(await seenInContainer(machine, `cat other; cmp data ${DATA}`), 'other content');
    await machine.sh(`cd ${DEPLOYMENT}/rootfs && rm new renamed && touch --date=@0 .`); // what the image does not have is left alone
    const again = await berth('fsck');
    assert.equal(again.status, 0, again.stdout + again.stderr);
    await workOnSealed(machine, berth);
  });
});

/** What a script says in the root of the container's program. */
async function inContainer(machine: WholeMachine, script: string): Promise<CommandResult> {
  const main = '$(systemctl show --value --property=MainPID steady)';
  return machine.run(
    `main=${main}; for i in $(seq 60); do pid=$(cat /proc/$main/task/$main/children); ` +
      `[ "$(readlink /proc/\${pid% }/exe)" = /probe ] && break; sleep 0.3; done; cd /proc/\${pid% }/root && ${script}`,
  );
}

async function seenInContainer(machine: WholeMachine, script: string): Promise<string> {
  const { status, stdout, stderr } = await inContainer(machine, script);
  assert.equal(status, 0, stderr);
  return stdout;
}

/** What works on other containers works on one with a sealed root: its config.json changes, programs enter it, and run in its place. */
async function workOnSealed(
  machine: WholeMachine,
  berth: (...args: string[]) => Promise<CommandResult>,
): Promise<void> {
  const mount = '{"destination":"/added","type":"tmpfs","source":"tmpfs"}';
  await machine.sh(
    `cd ${DEPLOYMENT} && sed -i -e 's/"env": \\[/&"ADDED=1",/' -e 's|"mounts": \\[|&${mount},|' config.json`,
  );
  const applied = await berth('apply', 'steady');
  assert.equal(applied.status, 0, applied.stderr);
  const plan = splitPlan(
    Buffer.from(await machine.sh(`base64 -w0 ${DEPLOYMENT}/launch.plan`), 'base64'),
  );
  assert.ok(
    plan.some(({ op }) => op === INSTRUCTIONS.SEALED_ROOT.op),
    'the seal is gone',
  );
  await machine.sh('systemctl restart steady');
  assert.match(await seenInContainer(machine, 'ls -d added other'), /^added\nother\n$/);
  const entered = await berth('exec', 'steady', '--', '/probe', 'show');
  assert.match(entered.stdout, /^env ADDED=1$/m, entered.stderr);
  await machine.sh('systemctl stop steady');
  const run = await berth('run', 'steady', '--', '/probe', 'show', 'instead');
  assert.match(run.stdout, /^arg instead$/m, run.stderr);
  assert.match(run.stdout, /^env ADDED=1$/m);
}

const LOOK = 'stat -c "%a %u" other; ls -d new renamed 2>/dev/null; true';

/** Whoever is root changes a checkout that is linked: names, modes and owners. A container that has it as its root shows them all. */
async function alterCheckout(machine: WholeMachine): Promise<void> {
  const before = await seenInContainer(machine, LOOK);
  assert.equal(before, '640 0\n');
  await machine.sh(
    `cd ${DEPLOYMENT}/rootfs && chmod 4777 other && chown 5 other && mv other renamed && cp renamed other && ln -s /etc new && sync`,
  );
  await machine.sh('systemctl restart steady');
  assert.equal(await seenInContainer(machine, LOOK), before);
  // Without the seal it is another container.
  const plan = `${DEPLOYMENT}/launch.plan`;
  const sealed = Buffer.from(await machine.sh(`base64 -w0 ${plan}`), 'base64');
  const unsealed = joinPlan(
    splitPlan(sealed).filter(({ op }) => op !== INSTRUCTIONS.SEALED_ROOT.op),
  );
  await machine.sh(
    `cp -a ${plan} /root/ && echo ${unsealed.toString('base64')} | base64 -d >${plan} && systemctl restart steady`,
  );
  assert.equal(await seenInContainer(machine, LOOK), '755 0\nnew\nrenamed\n');
  await machine.sh(`cp -a /root/launch.plan ${plan} && sync && systemctl restart steady`);
  assert.equal(await seenInContainer(machine, LOOK), before);
}

/** An object becomes another file of the same name, then the image of names another file with the same content. */
async function alterObjectAndImage(machine: WholeMachine): Promise<void> {
  const renamed = `${DEPLOYMENT}/rootfs/renamed`;
  const object = (await machine.sh(`find ${OBJECTS} -samefile ${renamed}`)).trim();
  await machine.sh(`rm ${object} && echo other contents >${object}`);
  await machine.sh('systemctl restart steady');
  assert.match((await inContainer(machine, 'cat other')).stderr, /Input\/output error/);

  const image = (await machine.sh(`ls ${DEPLOYMENT}/root-*.erofs`)).trim();
  await machine.sh(`ln ${image} /root/image && cp ${image} /root/copy && mv /root/copy ${image}`);
  assert.match(await refusal(machine), /measuring the sealed root '.*': No data available$/);
  await machine.sh(
    `ln -f ${OBJECTS}/*/*.file -t /root/ 2>/dev/null; ln -f "$(ls /root/*.file | head -n 1)" ${image}`,
  );
  assert.match(await refusal(machine), /refusing a root that is not the one that was sealed: '.*'/);
  // The image of names is sound, and an object is another one that is sealed, too.
  await machine.sh(
    `ln -f /root/image ${image} && rm ${object} && ln "$(ls /root/*.file | head -n 1)" ${object}`,
  );
  const verified = await machine.run(`${MACHINE_BERTH} verify steady`, COMMAND_TIMEOUT_MS);
  assert.match(verified.stdout, /root-[0-9a-f]+\.erofs: objects were replaced [^\n]*: '\/other'/);
  await machine.sh(`rm ${object} && echo other contents >${object}`);
  await machine.sh(`rm ${image} && cp /root/image ${image}`);
}

/** Why the service does not start: the line that the journal has of it. */
async function refusal(machine: WholeMachine): Promise<string> {
  const lines = await machine.sh(
    "cursor=$(journalctl --lines=0 --show-cursor | sed -n 's/^-- cursor: //p'); systemctl reset-failed steady; systemctl restart steady; " +
      'while systemctl --quiet is-active steady; do sleep 0.2; done; ' +
      'journalctl --after-cursor="$cursor" --unit=steady --output=cat | grep "^berth: "; systemctl stop steady; systemctl reset-failed steady',
  );
  return lines.split('\n')[0] ?? '';
}

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
