import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bootHost } from '../support/booted-host.js';
import { assertOk } from '../support/command-asserts.js';
import { pushDebianImage } from '../support/debian-image.js';
import { startRegistry } from '../support/registry.js';
import { suites } from '../support/suites.js';
import { waitUntil } from '../support/wait-until.js';

// Images that were never made for this: no /exports, only what `docker build` writes into an image's configuration.

for (const suite of suites) {
  test(`nginx and redis run as services from stock images: ${suite}`, async (t) => {
    await using registry = await startRegistry();
    await using host = await bootHost({ suite });
    await host.network.exposePort(registry.port);

    await t.test('nginx answers, logs to the journal and stops as it wants to', async () => {
      await pushDebianImage(registry.target('nginx'), 'nginx');
      assertOk(await host.berth('install', '--system', '--start', registry.reference('nginx')));
      const page = [
        'curl',
        '--silent',
        '--show-error',
        '--retry-connrefused',
        '--retry',
        '5',
        '--retry-delay',
        '1',
      ];
      const answer = await host.runInNetwork([...page, 'http://127.0.0.1/']);
      assert.equal(answer.stdout, 'hello from nginx\n', answer.stderr);
      await host.runOk(['systemctl', 'stop', 'nginx']);
      assert.equal((await host.unit('nginx.service'))['Result'], 'success');
      const messages = (await host.journal('nginx.service')).map((entry) => entry.message);
      assert.ok(
        messages.some((message) => message.includes('SIGQUIT')),
        messages.join('\n'),
      );
    });

    await t.test('redis keeps what it was told over a restart, as its own user', async () => {
      await pushDebianImage(registry.target('redis'), 'redis');
      assertOk(await host.berth('install', '--system', '--start', registry.reference('redis')));
      const talk = async (words: string): Promise<string> => {
        const script = `exec 3<>/dev/tcp/127.0.0.1/6379; printf '${words}\\r\\n' >&3; head -n 1 <&3`;
        // Type=exec says that it runs, not that it listens already, nor that it has read what it keeps.
        return waitUntil('an answer of redis', async () => {
          const { stdout } = await host.runInNetwork(['bash', '-c', script], { timeoutMs: 20_000 });
          return stdout !== '' && !stdout.startsWith('-LOADING') && stdout.trim();
        });
      };
      assert.equal(await talk('SET port harbour'), '+OK');
      const uid = await host.sh(
        'for pid in $(find "/sys/fs/cgroup$(systemctl show --value -p ControlGroup redis)" -name cgroup.procs -exec cat {} +); do grep -q redis-server "/proc/$pid/comm" && sed -n "s/^Uid:\\t//p" "/proc/$pid/status"; done; true',
      );
      assert.match(uid, /^101\t101\t101\t101$/m);
      await host.runOk(['systemctl', 'restart', 'redis']);
      await host.waitFor('redis.service', { ActiveState: 'active', SubState: 'running' });
      assert.equal(await talk('GET port'), '$7');
    });
  });
}
