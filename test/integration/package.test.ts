import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { bootHost } from '../support/booted-host.js';
import { projectRoot } from '../support/cache-folder.js';
import { bootedHostRecipe } from '../support/host-tree.js';
import { pushStockProbe } from '../support/probe-image.js';
import { startRegistry } from '../support/registry.js';
import { runOk } from '../support/run-command.js';
import { TempDir } from '../support/temp-dir.js';
import { compareSnapshots } from '../support/tree-snapshot.js';

/** A host with the Node of its own release, as who installs the package has. */
const recipe = { ...bootedHostRecipe('trixie'), name: 'packaged' };

/** What is written about every package, and the folder that systemd makes for the first timer. */
const OF_OTHERS = ['var/lib/dpkg', 'var/log', 'var/cache', 'etc/ld.so.cache'];

const LAUNCHER = '/usr/libexec/berth/launch-1';
const PARTS = '/usr/lib/berth/dist/bin/parts';

/** Makes berth's package with a version, in a folder. */
async function makePackage(folder: string, version: string): Promise<string> {
  const name = await runOk(['node', 'packaging/build-deb.mjs', folder], {
    cwd: projectRoot,
    env: { ...process.env, BERTH_PACKAGE_VERSION: version },
  });
  return join(projectRoot, name.trim());
}

test('a Debian package is installed, upgraded, removed and purged while what berth installed goes on', async (t) => {
  using folder = new TempDir();
  await using registry = await startRegistry();
  await pushStockProbe(registry.target('plain'), { Entrypoint: ['/probe', 'deaf'] });
  const packages = [
    await makePackage(folder.path, '1.0.0'),
    await makePackage(folder.path, '1.1.0'),
  ];
  const [first = ''] = packages;
  await t.test('the same checkout gives the same bytes', async () => {
    mkdirSync(join(folder.path, 'again'));
    const again = await makePackage(join(folder.path, 'again'), '1.0.0');
    await runOk(['cmp', first, again]);
  });

  await t.test('its manual and its completions are in it', async () => {
    const tree = join(folder.path, 'tree');
    await runOk(['dpkg-deb', '--extract', first, tree]);
    const share = join(tree, 'usr/share');
    const page = gunzipSync(readFileSync(join(share, 'man/man8/berth.8.gz'))).toString();
    assert.match(page, /^\.TH "?berth"? "?8"?/m);
    assert.match(page, /^\.SH NAME\n/m);
    const script = join(share, 'bash-completion/completions/berth');
    assert.match(
      await runOk(['bash', '-c', '. "$1"; complete -p berth', 'bash', script]),
      /berth$/m,
    );
  });

  await using host = await bootHost({
    suite: 'trixie',
    recipe: { ...recipe, packages: [...recipe.packages, 'nodejs'] },
    hasOwnNode: true,
    prepare: (tree) => {
      for (const [index, path] of packages.entries())
        copyFileSync(path, join(tree, `root/${index}.deb`));
    },
  });
  await host.network.exposePort(registry.port);
  const before = await host.snapshot({ except: OF_OTHERS });
  const pid = async (): Promise<string | undefined> =>
    (await host.unit('plain.service'))['MainPID'];

  await t.test('it works as it was installed, with the Node of the distribution', async () => {
    await host.sh('dpkg --install /root/0.deb');
    assert.equal((await host.sh('berth --version')).trim(), '1.0.0');
    assert.match(await host.sh('berth-runtime --version'), /1\.0\.0/);
    const compiled = await host.sh(`ls ${PARTS}`);
    for (const use of ['fetch', 'look', 'list', 'run'])
      assert.match(compiled, new RegExp(`\\.cjs\\.${use}-[0-9.]+$`, 'm'));
    assert.equal((await host.unit('berth-recover.service'))['WantedBy'], 'sysinit.target');
  });

  await t.test('units name the launcher of the package', async () => {
    await host.sh(`berth install --system --start ${registry.reference('plain')}`);
    await host.waitFor('plain.service', { ActiveState: 'active', SubState: 'running' });
    await host.sh(`grep -q '^ExecStart=${LAUNCHER} ' /etc/systemd/system/plain.service`);
    await host.sh('test ! -e /etc/systemd/system/berth-recover.service');
  });

  await t.test('its timer is the one that is enabled', async () => {
    await host.sh('berth policy --enable-timer');
    const timer = await host.unit('berth-update.timer');
    assert.deepEqual(
      [timer['ActiveState'], timer['FragmentPath']],
      ['active', '/usr/lib/systemd/system/berth-update.timer'],
    );
    await host.sh('berth policy --disable-timer');
  });

  await t.test('an upgrade leaves running services alone', async () => {
    const running = await pid();
    await host.sh('dpkg --install /root/1.deb');
    assert.equal((await host.sh('berth --version')).trim(), '1.1.0');
    assert.equal(await pid(), running);
    await host.sh('berth verify plain && berth fsck');
  });

  await t.test('without berth services run, restart and come back with the next boot', async () => {
    const running = await pid();
    await host.sh('dpkg --remove berth && test ! -e /usr/lib/berth');
    assert.equal(await pid(), running);
    await host.sh('systemctl restart plain.service');
    await host.reboot();
    await host.waitFor('plain.service', { ActiveState: 'active', SubState: 'running' });
  });

  await t.test('purging leaves what installed containers need, and says so', async () => {
    const said = await host.sh('dpkg --purge berth 2>&1');
    assert.match(said, /since containers are installed/);
    await host.sh('systemctl restart plain.service');
    await host.waitFor('plain.service', { ActiveState: 'active', SubState: 'running' });
  });

  await t.test('and nothing where none is installed', async () => {
    await host.sh('dpkg --install /root/1.deb && berth uninstall plain && dpkg --purge berth');
    const after = await host.snapshot({ except: OF_OTHERS });
    const left = compareSnapshots(before, after).filter(
      (line) => !line.startsWith('+ /var/lib/systemd/timers:'),
    );
    assert.deepEqual(left, []);
  });
});
