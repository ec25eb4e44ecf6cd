import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { projectRoot } from '../support/cache-folder.js';
import { configTemplate, SERVICE_TEMPLATE } from '../support/exports-image.js';
import { userEmulator } from '../support/emulator.js';
import { enableForeignPrograms } from '../support/foreign-programs.js';
import { ContainerBed, launcher } from '../support/launched-container.js';
import { machineKinds } from '../support/machine-kind.js';
import { armMachine } from '../support/machine-models.js';
import { onMachine } from '../support/on-machine.js';
import { probeProgram } from '../support/probe-program.js';
import { type CommandResult, runCommand, runOk } from '../support/run-command.js';
import type { TarItem } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';
import type { WholeMachine } from '../support/whole-machine.js';
import { writeLayout } from '../support/write-layout.js';

/** Time for a command of berth in emulation. */
const COMMAND_TIMEOUT_MS = 180_000;

/** Of berth's launcher. */
const PLAN_REFUSED = 245;

const PROBE: TarItem = {
  path: 'probe',
  mode: 0o755,
  content: readFileSync(probeProgram(machineKinds.arm64.compiler)),
};

/** Says that it is ready when it has tried what its filter refuses, and what its root does not let it do. */
const SERVICE = {
  'service.template': SERVICE_TEMPLATE.replace('Restart=no', 'Type=notify'),
  'config.json.template': configTemplate({
    process: {
      user: { uid: 0, gid: 0 },
      args: ['/probe', 'mkdir', '/tmp/x', ',', 'write', '/x', ',', 'notify', 'READY=1', ','].concat(
        'sleep',
        '100000',
      ),
      cwd: '/',
    },
    linux: {
      namespaces: [{ type: 'pid' }, { type: 'ipc' }, { type: 'mount' }],
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
        syscalls: [
          { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 },
          { names: ['personality'], action: 'SCMP_ACT_ERRNO', args: [argument(0, 8)] },
        ],
      },
    },
  }),
};

function argument(index: number, value: number): Readonly<Record<string, unknown>> {
  return { index, value, op: 'SCMP_CMP_EQ' };
}

/** Makes the tree of a machine as an image builder on x86-64 does: with berth's package, and a container that is installed from here. */
async function furnish(tree: string): Promise<void> {
  using folder = new TempDir();
  await enableForeignPrograms();
  const build = ['packaging/build-deb.mjs', '--arch', 'arm64', folder.path];
  const file = await runOk([process.execPath, ...build], { cwd: projectRoot });
  copyFileSync(join(projectRoot, file.trim()), join(tree, 'root/berth.deb'));
  await runOk(['chroot', tree, 'dpkg', '--install', '/root/berth.deb'], { timeoutMs: 600_000 });

  const exports = Object.entries(SERVICE).map(([name, content]) => ({
    path: `exports/${name}`,
    content,
  }));
  const folders = ['proc/', 'tmp/', 'exports/'].map((path) => ({ path }));
  const outside = writeLayout(join(folder.path, 'outside'), {
    architecture: 'arm64',
    layers: [[PROBE, ...folders, ...exports]],
  });
  const program = join(projectRoot, 'dist/bin/berth.cjs');
  const install = ['--root', tree, 'install', '--system', '--name', 'outside', outside];
  await runOk([process.execPath, program, ...install]);

  for (const architecture of ['arm64', 'amd64']) {
    mkdirSync(join(tree, 'root', architecture));
    writeLayout(join(tree, 'root', architecture), {
      architecture,
      layers: [[PROBE]],
      process: { Entrypoint: ['/probe', 'sleep', '100000'], User: '33' },
    });
  }
}

test('a machine of arm64 boots with what was installed from x86-64, and installs, enters and uninstalls itself', async (t) => {
  await onMachine({ ...armMachine, prepare: furnish }, async (machine) => {
    const berth = async (...args: string[]): Promise<CommandResult> => {
      const begun = performance.now();
      const result = await machine.run(`berth ${args.join(' ')}`, COMMAND_TIMEOUT_MS);
      t.diagnostic(`${args[0] ?? ''}: ${Math.round(performance.now() - begun)} ms`);
      return result;
    };
    assert.equal((await machine.sh('uname -m')).trim(), 'aarch64');
    assert.equal(await activeState(machine, 'outside'), 'active', machine.console());
    const said = await machine.sh('journalctl --output=cat _SYSTEMD_UNIT=outside.service');
    assert.match(said, /^mkdir=EACCES\nwrite=EROFS\nnotify=ok\n$/);
    // The plan that was compiled on x86-64 is byte by byte the one that is compiled here.
    const applied = await berth('apply', 'outside');
    assert.match(applied.stdout, /^outside runs by this config\.json already; nothing to do$/m);

    const foreign = await berth('install', '--name', 'inside', 'oci:/root/amd64:image');
    assert.equal(foreign.status, 66);
    assert.match(foreign.stderr, /is made for 'linux\/amd64', not for linux\/arm64$/m);
    const image = 'oci:/root/arm64:image';
    const installed = await berth('install', '--start', '--name', 'inside', image);
    assert.equal(installed.status, 0, installed.stderr);
    assert.equal(await activeState(machine, 'inside'), 'active');
    const shown = await berth('exec', 'inside', '--', '/probe', 'ids');
    assert.match(shown.stdout, /^uid=33 gid=0 /, shown.stderr);
    const states = await berth('status', '--json');
    assert.match(states.stdout, /"name": ?"inside"/, states.stderr);
    assert.match(states.stdout, /"name": ?"outside"/);
    const removed = await berth('uninstall', 'inside');
    assert.equal(removed.status, 0, removed.stderr);
    assert.equal(await activeState(machine, 'inside'), 'inactive');
    assert.equal((await berth('list', '--quiet')).stdout, 'outside\n');
    assert.equal(await machine.sh('systemctl --failed --quiet'), '');
  });
});

async function activeState(machine: WholeMachine, name: string): Promise<string> {
  return (await machine.sh(`systemctl show --value --property=ActiveState ${name}.service`)).trim();
}

test('the launcher of arm64 takes and refuses the plans that that of x86-64 does', async () => {
  using bed = new ContainerBed();
  bed.compile(['say', 'hello'], { hostname: 'box' });
  const plan = readFileSync(bed.plan);
  const emulator = await userEmulator();
  const every = Math.floor(plan.length / 24);
  const damaged = Array.from({ length: 24 }, (_, index) => {
    const copy = Buffer.from(plan);
    copy[index * every] = (copy[index * every] ?? 0) ^ 0xff;
    return copy;
  });
  using folder = new TempDir();
  const path = join(folder.path, 'plan');
  for (const [index, bytes] of [plan, plan.subarray(0, -1), ...damaged].entries()) {
    writeFileSync(path, bytes);
    const own = await runCommand([launcher, '--check', path]);
    const other = await runCommand([emulator, `${launcher}-arm64`, '--check', path]);
    assert.deepEqual(other, own, String(index));
    assert.equal(own.status, index === 0 ? 0 : PLAN_REFUSED, own.stderr);
  }
});

test('a package is refused for an architecture that there is no launcher for', async () => {
  const command = [process.execPath, 'packaging/build-deb.mjs', '--arch', 'mips'];
  const { status, stderr } = await runCommand(command, { cwd: projectRoot });
  assert.equal(status, 1);
  assert.equal(stderr, "build-deb: there is no package for 'mips': it is amd64 or arm64\n");
});
