import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { bootHost } from '../support/booted-host.js';
import { each } from '../support/each.js';
import { hostsFolder, markOf, reapDeadHosts } from '../support/host-record.js';
import { messageIds } from '../support/host-journal.js';
import { suites, systemdVersion } from '../support/suites.js';
import { compareSnapshots } from '../support/tree-snapshot.js';

// The harness proves itself first: what the other tests conclude rests on this.

const rows = suites.map((suite) => ({ name: suite, suite }));

each('a booted host is a working systemd that keeps its disk over reboots', rows, async (row) => {
  await using host = await bootHost({ suite: row.suite });
  const version = await host.sh('systemctl --version | head -n 1');
  assert.match(version, new RegExp(`^systemd ${systemdVersion[row.suite]}\\b`));
  assert.equal((await host.sh('systemctl is-system-running')).trim(), 'running', host.console());
  assert.match(await host.sh('node --version'), /^v\d+/);

  const before = await host.snapshot();
  await writeFile(
    host.outside('/etc/systemd/system/probe.service'),
    '[Service]\nType=oneshot\nExecStart=echo hello from the probe\n',
  );
  assert.equal(compareSnapshots(before, await host.snapshot()).length, 1);
  await host.reboot();
  await host.runOk(['systemctl', 'start', 'probe.service']);
  const entries = await host.journal('probe.service');
  assert.ok(entries.some((entry) => entry.message === 'hello from the probe'));
  assert.ok(entries.some((entry) => entry.messageId === messageIds.unitStarted));
  await host.runOk(['rm', '/etc/systemd/system/probe.service']);
  assert.deepEqual(compareSnapshots(before, await host.snapshot()), []);
});

test('a host reaches the ports of the machine that were exposed, and no others', async () => {
  const server = createServer((_request, response) => response.end('here'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    await using host = await bootHost({ suite: 'trixie' });
    const url = `http://127.0.0.1:${port}/`;
    const curl = ['curl', '--silent', '--show-error', url];
    assert.notEqual((await host.runInNetwork(curl)).status, 0);
    await host.network.exposePort(port);
    assert.equal((await host.runInNetwork(curl)).stdout, 'here');
    const fetching = `fetch('${url}').then(async (r) => console.log(await r.text()))`;
    assert.equal((await host.runOk(['node', '-e', fetching])).trim(), 'here');
  } finally {
    server.close();
  }
});

test('/var can be a file system of its own', async () => {
  await using host = await bootHost({
    suite: 'trixie',
    varDisk: { type: 'ext4', sizeMb: 64, options: 'noexec' },
  });
  assert.match(await host.sh('findmnt --noheadings --output FSTYPE,OPTIONS /var'), /ext4.*noexec/);
  assert.notEqual(
    (await host.run(['sh', '-c', 'cp /bin/true /var/x && /var/x'])).status,
    0,
    'a program ran from a noexec file system',
  );
});

test('a host that does not boot is an error that shows its console', async () => {
  await assert.rejects(
    bootHost({ suite: 'trixie', prepare: (tree) => writeFile(join(tree, 'sbin/init'), 'x') }),
    /did not boot/,
  );
});

test('a test process that was killed leaves nothing behind once the next host boots', async () => {
  const program = `
    const { bootHost } = await import(${JSON.stringify(new URL('../support/booted-host.js', import.meta.url).href)});
    const host = await bootHost({ suite: 'trixie', varDisk: { type: 'ext4', sizeMb: 64 } });
    console.log(host.id, host.leader);
    await new Promise(() => setInterval(() => undefined, 1000));
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const [id = '', leader = ''] = line.toString().trim().split(' ');
  assert.ok(existsSync(join(hostsFolder(), id)));
  child.kill('SIGKILL');
  await once(child, 'close');
  await reapDeadHosts();
  assert.ok(!existsSync(join(hostsFolder(), id)));
  assert.equal(markOf(Number(leader)), undefined, 'the host outlived its test');
});
