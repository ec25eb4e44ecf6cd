import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { bootHost } from '../support/booted-host.js';
import { assertOk } from '../support/command-asserts.js';
import { pushExports } from '../support/exports-image.js';
import { startRegistry } from '../support/registry.js';
import { suites } from '../support/suites.js';
import { waitUntil } from '../support/wait-until.js';

// What an administrator does to an installed container that runs, and what berth says and does about it.

interface Report {
  readonly ok: boolean;
  readonly findings: readonly { readonly area: string; readonly severity: string }[];
}

for (const suite of suites) {
  test(`a running container is verified, changed and mended on ${suite}`, async () => {
    await using registry = await startRegistry();
    await using host = await bootHost({ suite });
    await host.network.exposePort(registry.port);
    await pushExports(registry.target('web'), {
      entries: [{ path: 'etc/' }, { path: 'etc/motd', content: 'of the image\n' }],
    });
    assertOk(await host.berth('install', '--start', `${registry.host}/web:latest`));
    const mainPid = async (): Promise<string> => (await host.unit('web.service'))['MainPID'] ?? '';
    const verify = async (): Promise<readonly string[]> => {
      const { stdout } = await host.berth('--json', 'verify', 'web');
      const [report] = JSON.parse(stdout) as Report[];
      return (report?.findings ?? []).map(({ area, severity }) => `${severity} ${area}`);
    };
    assert.deepEqual(await verify(), []);

    // An edited config.json: the service starts by its plan, and says in one line what to do.
    const config = host.outside('/var/lib/berth/web.0/config.json');
    writeFileSync(config, readFileSync(config, 'utf8').replace('"A=b"', '"A=edited"'));
    assert.deepEqual(await verify(), ['drift config']);
    assertOk(await host.run(['systemctl', 'restart', 'web.service']));
    const warnings = async (): Promise<number> =>
      (await host.journal('web.service')).filter(({ message }) =>
        message.includes('berth apply web'),
      ).length;
    await host.waitForMessage('web.service', /berth apply web/);
    // The launcher stays as the parent of the program.
    const environment = async (): Promise<string> =>
      host.sh(
        `child=$(grep -l "^PPid:[[:space:]]*${await mainPid()}$" /proc/[0-9]*/status | head -n 1); tr '\\0' '\\n' < "$(dirname "$child")/environ" || true`,
      );
    // A service counts as started before its program runs.
    const runsWith = (text: string): Promise<unknown> =>
      waitUntil(text, async () => (await environment()).includes(text));
    await runsWith('A=b');
    assert.equal(await warnings(), 1, 'one line a start');

    const applied = await host.berth('apply', 'web');
    assertOk(applied);
    assert.match(applied.stdout, /is applied\..* until 'berth restart web'/);
    await runsWith('A=b');
    const again = await host.berth('apply', 'web');
    assert.match(again.stdout, /was applied before\. .* until 'berth restart web'/);
    assertOk(await host.berth('restart', 'web'));
    await runsWith('A=edited');
    const { stdout: done } = await host.berth('apply', '--json', 'web');
    const { restartNeeded, running } = JSON.parse(done) as Record<string, unknown>;
    assert.deepEqual([restartNeeded, running], [false, []], 'it would be restarted for nothing');
    assert.deepEqual(await verify(), []);

    // A file of the root changed in place, and so in the store: mended while the service runs.
    const pid = await mainPid();
    appendFileSync(host.outside('/var/lib/berth/web.0/rootfs/etc/motd'), 'and of somebody else\n');
    assert.deepEqual(await verify(), ['drift rootfs']);
    assert.equal((await host.berth('fsck')).status, 1);
    assertOk(await host.berth('fsck', '--repair'));
    assert.deepEqual(await verify(), []);
    assert.equal(await mainPid(), pid, 'the service was not disturbed');
    const motd = readFileSync(host.outside('/var/lib/berth/web.0/rootfs/etc/motd'), 'utf8');
    assert.equal(motd, 'of the image\n');

    // An administrator's own drop-in, and a mask: reported as such.
    mkdirSync(host.outside('/etc/systemd/system/web.service.d'), { recursive: true });
    writeFileSync(
      host.outside('/etc/systemd/system/web.service.d/50-own.conf'),
      '[Service]\nNice=5\n',
    );
    assertOk(await host.run(['systemctl', 'daemon-reload']));
    assert.deepEqual(await verify(), ['note drop-in']);
    await host.sh(
      'cd /etc/systemd/system && mv web.service /root && ln -s /dev/null web.service && systemctl daemon-reload',
    );
    assert.ok((await verify()).includes('drift enablement'));
  });
}
