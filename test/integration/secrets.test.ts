import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { assertOk } from '../support/command-asserts.js';
import { configTemplate, pushExports } from '../support/exports-image.js';
import { startRegistry } from '../support/registry.js';
import { type CommandResult, runCommand } from '../support/run-command.js';
import { shortSoak } from '../support/short-soak.js';
import { suites } from '../support/suites.js';

// A secret is in its credential file and with the process that it is for, and nowhere else.

const SECRET = 'tr0ub4dor-and-3-more';

const MANIFEST = JSON.stringify({
  version: '1.0',
  variables: {
    PASSWORD: { secret: true, required: true, pattern: '[a-z0-9-]+' },
    PORT: { type: 'integer', default: 80 },
  },
});

const CONFIG = configTemplate({
  process: {
    user: { uid: 1234, gid: 1234 },
    args: ['/probe', 'deaf'],
    env: ['PASSWORD_FILE=$PASSWORD', 'PORT=$PORT'],
    cwd: '/',
  },
});

/** Files of the host, and command lines and environments of all processes, in which a text stands. */
async function findText(host: BootedHost, text: string): Promise<readonly string[]> {
  // The tree as the machine sees it, and /run, which is a file system of its own; the pattern is on no command line.
  const options = { input: `${text}\n` };
  const grep = ['grep', '-rlaF', '--devices=skip', '-f', '-'];
  const inTree = await runCommand([...grep, host.root], options);
  const inRun = await host.run([...grep, '/run'], options);
  const files = [
    ...lines(inTree.stdout).map((line) => line.slice(host.root.length)),
    ...lines(inRun.stdout),
  ];
  const processes = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`])
    .filter((file) => {
      try {
        return readFileSync(file, 'latin1').includes(text);
      } catch {
        return false; // it ended meanwhile
      }
    });
  return [...files, ...processes].sort();
}

function lines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

for (const suite of suites) {
  test(`I16 a secret stands in its credential file alone: ${suite}`, async (t) => {
    await using registry = await startRegistry();
    await using host = await bootHost({ suite, prepare: shortSoak });
    await host.network.exposePort(registry.port);
    await pushExports(registry.target('safe'), {
      files: { 'manifest.json': MANIFEST, 'config.json.template': CONFIG },
    });
    const image = `${registry.host}/safe:latest`;
    const berth = (input: string, ...args: readonly string[]): Promise<CommandResult> =>
      host.run(['node', '/opt/berth/dist/bin/berth.cjs', ...args], { input });

    await t.test('the positive control: a value that is no secret is found', async () => {
      await host.sh(
        `umask 077; mkdir /run/secrets; printf %s 8765 >/run/secrets/port; printf '%s\\n' "${SECRET}" >/run/secrets/password`,
      );
      assertOk(
        await host.berth(
          'install',
          '--name',
          'control',
          '--set',
          'PORT=@/run/secrets/port',
          '--set',
          'PASSWORD=@/run/secrets/password',
          image,
        ),
      );
      const found = await findText(host, '8765');
      assert.ok(found.includes('/var/lib/berth/control.0/config.json'), found.join('\n'));
      assertOk(await host.berth('uninstall', 'control'));
      assert.deepEqual(await findText(host, SECRET), ['/run/secrets/password']);
    });

    await t.test('installed, running, and with everything that was printed', async () => {
      const values = JSON.stringify({ PASSWORD: SECRET });
      const shown = await berth(values, 'install', '--json', '--start', '--values', '-', image);
      assertOk(shown);
      assert.ok(!`${shown.stdout}${shown.stderr}`.includes(SECRET));
      await host.sh('rm -r /run/secrets');
      assert.deepEqual(await findText(host, SECRET), [
        '/run/credentials/safe.service/PASSWORD',
        '/var/lib/berth/safe.0/credentials/PASSWORD',
      ]);
      const modes = await host.sh(
        'stat -c "%a %u %F" /var/lib/berth/safe.0/credentials /var/lib/berth/safe.0/credentials/PASSWORD',
      );
      assert.equal(modes, '700 0 directory\n600 0 regular file\n');
    });

    await t.test('the program finds it at the path that its configuration has', async () => {
      const { MainPID: pid = '' } = await host.unit('safe.service');
      const child = (await host.sh(`cat /proc/${pid}/task/*/children`)).trim();
      const environ = await host.sh(`tr '\\0' '\\n' </proc/${child}/environ`);
      assert.match(environ, /^PASSWORD_FILE=\/run\/host\/credentials\/PASSWORD$/m);
      assert.equal(
        await host.sh(`cat /proc/${child}/root/run/host/credentials/PASSWORD`),
        SECRET,
        'without the line break of its file',
      );
      const owner = await host.sh(
        `stat -c '%a %u' /proc/${child}/root/run/host/credentials/PASSWORD`,
      );
      assert.equal(owner, '400 1234\n');
    });

    await t.test(
      'installing again: the same changes nothing, another is refused, and neither is shown',
      async () => {
        assertOk(await host.berth('install', '--name', 'safe', image));
        const other = await berth('another-one', 'install', '--set', 'PASSWORD=@-', image);
        assert.equal(other.status, 73, other.stderr);
        assert.match(other.stderr, /installed from other values/);
        assert.doesNotMatch(other.stderr, /another-one/);
        const set = ['--set', 'PASSWORD=@-', '--set', 'PORT=x'];
        const wrong = await berth('With Blank', 'install', '--name', 'wrong', ...set, image);
        assert.equal(wrong.status, 64, wrong.stderr);
        assert.match(wrong.stderr, /PORT: expected a whole number, got 'x'; PASSWORD: it does not/);
        assert.doesNotMatch(wrong.stderr, /With Blank/);
        const planned = ['install', '--plan', '--name', 'two', '--set', 'PASSWORD=@-', image];
        const { stdout: plan } = await berth(SECRET, ...planned);
        assert.match(plan, /PASSWORD=\(secret\)/);
        assert.match(plan, /LoadCredential=PASSWORD:\/var\/lib\/berth\/two\/credentials\/PASSWORD/);
        assert.ok(!plan.includes(SECRET));
      },
    );

    await t.test('on the command line it is taken, with a warning', async () => {
      const result = await host.berth(
        'install',
        '--name',
        'open',
        '--set',
        'PASSWORD=open-word',
        image,
      );
      assertOk(result);
      assert.match(result.stderr, /PASSWORD is a secret, and on the command line every user/);
      assertOk(await host.berth('uninstall', 'open'));
    });

    await t.test(
      'an update keeps it, takes another one, and a rollback brings it back',
      async () => {
        const OTHER = 'another-secret';
        await pushExports(registry.target('safe'), {
          files: { 'manifest.json': MANIFEST, 'config.json.template': CONFIG },
          comment: 'the next version',
        });
        assertOk(await host.berth('update', 'safe'));
        assert.deepEqual(await findText(host, SECRET), [
          '/run/credentials/safe.service/PASSWORD',
          '/var/lib/berth/safe.0/credentials/PASSWORD',
          '/var/lib/berth/safe.1/credentials/PASSWORD',
        ]);
        const planned = await berth(OTHER, 'update', '--plan', '--set', 'PASSWORD=@-', 'safe');
        assertOk(planned);
        assert.doesNotMatch(`${planned.stdout}${planned.stderr}`, /another-secret|tr0ub4dor/);
        const updated = await berth(OTHER, 'update', '--set', 'PASSWORD=@-', 'safe');
        assertOk(updated);
        assert.doesNotMatch(`${updated.stdout}${updated.stderr}`, /another-secret|tr0ub4dor/);
        assert.ok((await findText(host, OTHER)).includes('/run/credentials/safe.service/PASSWORD'));
        assertOk(await host.berth('rollback', 'safe'));
        const { MainPID: pid = '' } = await host.unit('safe.service');
        const child = (await host.sh(`cat /proc/${pid}/task/*/children`)).trim();
        const inside = `/proc/${child}/root/run/host/credentials/PASSWORD`;
        assert.equal(await host.sh(`cat ${inside}`), SECRET);
        const found = await findText(host, OTHER);
        assert.ok(
          found.every((path) => path.endsWith('/credentials/PASSWORD')),
          found.join('\n'),
        );
      },
    );

    await t.test('uninstalled, nothing is left of it', async () => {
      assertOk(await host.berth('uninstall', '--purge', 'safe'));
      assert.deepEqual(await findText(host, SECRET), []);
    });
  });
}
