import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import {
  ENFORCING,
  ENFORCING_PACKAGES,
  installInto,
  prepareEnforcing,
  writeServer,
} from '../support/enforcing-machine.js';
import { MACHINE_BERTH } from '../support/machine-berth.js';
import { onMachine } from '../support/on-machine.js';
import type { WholeMachine } from '../support/whole-machine.js';

/** Time for a command in emulation, where it takes ten times as long. */
const COMMAND_TIMEOUT_MS = 120_000;

const LABEL = 'system_u:system_r:container_t:s0:c1,c2';

/** What a container writes has its own level. */
const MOUNT_LABEL = 'system_u:object_r:container_file_t:s0:c1,c2';

/** Says of itself what it is, and of a file of the host why it cannot have it. */
const SELF_REPORT =
  'cat /proc/self/attr/current >/srv/self; cat /secret >/srv/secret 2>&1; echo end >>/srv/secret';

/** Denials that are about berth and its containers; Debian's policy denies its own services a thing or two. */
const OURS = /berth|comm="(?:node|busybox|httpd|sh|cat)"|container_|initrc_t|unlabeled_t/;

/** Pipes of who called `exec`, and the agent's own file. */
const THEIRS = /tcontext=unconfined_u:.*tclass=(?:fifo_file|unix_stream_socket)|agent-output/;

async function prepare(tree: string): Promise<void> {
  await prepareEnforcing(tree);
  writeFileSync(join(tree, 'root/secret'), 'secret\n');
  const host = { path: 'exports/hostfs/usr/local/bin/tool', mode: 0o755, content: '#!/bin/sh\n' };
  const served = writeServer(tree, { port: 8001, page: 'one', entries: [host] });
  writeServer(tree, { port: 8001, page: 'two', entries: [host] });
  writeServer(tree, { port: 8003, page: 'third' });
  const kept = writeServer(tree, {
    port: 8002,
    page: 'kept',
    before: SELF_REPORT,
    process: { selinuxLabel: LABEL },
    linux: { mountLabel: MOUNT_LABEL },
    mounts: [
      { destination: '/srv', type: 'tmpfs', source: 'tmpfs' },
      { destination: '/secret', type: 'bind', source: '/root/secret', options: ['bind', 'ro'] },
    ],
    entries: [{ path: 'secret', content: '' }],
  });
  await installInto(tree, 'served', served);
  await installInto(tree, 'kept', kept);
}

test('services run where SELinux enforces, and are kept in their domains', async (t) => {
  const extra = { name: 'selinux', packages: ENFORCING_PACKAGES };
  const options = { suite: 'trixie', extra, prepare, kernelOptions: ENFORCING } as const;
  await onMachine(options, async (machine) => {
    const berth = (command: string): Promise<string> =>
      machine.sh(`${MACHINE_BERTH} ${command} 2>&1`, COMMAND_TIMEOUT_MS);
    await t.test('what was installed into the tree started at boot', async () => {
      assert.equal(await machine.sh('getenforce'), 'Enforcing\n');
      assert.equal(await ask(machine, 8001), 'one\n');
      assert.match(await domainOf(machine, 'served'), /^system_u:system_r:initrc_t:s0/);
    });
    await t.test('a container with a label of its own has it, and gets what it may', async () => {
      assert.equal((await ask(machine, 8002, 'self')).replace('\0', ''), LABEL);
      assert.match(await ask(machine, 8002, 'secret'), /\/secret.*Permission denied\nend\n$/);
      // By its status: Debian's policy lets nobody of one level write into the pipe of one who has all.
      await berth('exec kept busybox grep container_t:s0:c1,c2 /proc/self/attr/current');
    });
    await t.test('an administrator installs, runs commands and updates', async () => {
      await berth('install --system --name third --start oci:/root/images/third:image');
      assert.equal(await ask(machine, 8003), 'third\n');
      assert.equal(await berth('exec served cat /srv/index.html'), 'one\n');
      await berth('update --rebase oci:/root/images/two:image served');
      assert.equal(await ask(machine, 8001), 'two\n');
    });
    await t.test('a service changes containers as well as an administrator', async () => {
      const rollback = `systemd-run --quiet --wait ${MACHINE_BERTH} rollback served`;
      await machine.sh(rollback, COMMAND_TIMEOUT_MS);
      assert.equal(await ask(machine, 8001), 'one\n');
    });
    await t.test('relabelling by the policy with its module changes nothing', async () => {
      const places = '/var/lib/berth /etc/systemd /etc/tmpfiles.d /usr/local';
      assert.equal(await machine.sh(`restorecon -Rnv ${places}`), '');
    });
    await t.test('verify tells of a launcher that systemd may not run', async () => {
      const launcher = '/var/lib/berth/.launch/*/berth-launch';
      await machine.sh(`chcon -t var_lib_t ${launcher}`);
      const told = await machine.run(`${MACHINE_BERTH} verify served`, COMMAND_TIMEOUT_MS);
      assert.match(told.stdout, /its SELinux label is not the one of a program/);
      await machine.sh(`restorecon ${launcher}`);
    });
    await t.test('nothing was denied but the secret', async () => {
      const denied = (await machine.sh('dmesg'))
        .split('\n')
        .filter((line) => line.includes('avc:  denied') && OURS.test(line) && !THEIRS.test(line));
      const [secret = '', ...others] = denied;
      assert.match(
        secret,
        /denied {2}\{ read \}.*name="secret".*scontext=\S+:container_t:s0:c1,c2/,
      );
      assert.deepEqual(others, []);
    });
    await t.test('uninstalling takes away what is on the host', async () => {
      await berth('uninstall served');
      const left = 'ls -A /usr/local/bin; systemctl --failed --quiet; systemctl is-enabled served';
      assert.equal((await machine.run(left)).stdout, 'not-found\n');
    });
  });
});

async function ask(machine: WholeMachine, port: number, page = ''): Promise<string> {
  const url = `http://127.0.0.1:${port}/${page}`;
  return machine.sh(
    `for try in $(seq 50); do busybox wget -q -O- ${url} && exit; sleep 0.2; done; exit 1`,
  );
}

async function domainOf(machine: WholeMachine, service: string): Promise<string> {
  return machine.sh(`cat /proc/$(systemctl show --value -p MainPID ${service})/attr/current`);
}
