import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { ownFile } from '../../src/base/own-files.js';
import { BerthInTree } from '../support/berth-in-tree.js';

/* What can be said of containers in a tree that is not running: what its next boot will start. */

const TIMER = 'etc/systemd/system/timers.target.wants/berth-update.timer';

async function rows(tree: BerthInTree): Promise<readonly (readonly unknown[])[]> {
  const list = JSON.parse(await tree.runOk('list', '--json')) as readonly {
    name: string;
    state: string;
    enabled: string;
    preset?: string;
  }[];
  return list.map(({ name, state, enabled, preset }) => [name, state, enabled, preset]);
}

test('a tree tells which containers its next boot starts', async () => {
  using tree = new BerthInTree();
  const image = tree.makeImage('web', [{ path: 'probe', content: 'x', mode: 0o755 }]);
  writeFileSync(`${tree.path}/etc/machine-id`, `${'0'.repeat(32)}\n`);
  await tree.runOk('install', '--name', 'on', image);
  await tree.runOk('install', '--name', 'off', '--no-enable', image);
  assert.deepEqual(await rows(tree), [
    ['off', 'offline', 'disabled', undefined],
    ['on', 'offline', 'enabled', undefined],
  ]);
  assert.match(await tree.runOk('list'), /^on +offline +enabled +0 /m);
  assert.equal(await tree.runOk('list', '-q', '--filter', 'state=offline'), 'off\non\n');
  const status = await tree.run('status', 'on', 'off');
  assert.equal(status.status, 0, status.stderr);
  assert.match(
    status.stdout,
    /State: offline: the system in this tree is not running\n +At boot: enabled\n/,
  );
  assert.match(status.stdout, / +At boot: disabled\n/);
});

test('where the first boot of a tree will change that, it is told', async () => {
  using tree = new BerthInTree();
  const image = tree.makeImage('web', [{ path: 'probe', content: 'x', mode: 0o755 }]);
  const presets = `${tree.path}/usr/lib/systemd/system-preset`;
  mkdirSync(presets, { recursive: true });
  writeFileSync(`${presets}/90-x.preset`, 'disable on.service\n');
  for (const name of ['on', 'off']) await tree.runOk('install', '--name', name, image);
  await tree.runOk('uninstall', 'off');
  await tree.runOk('install', '--name', 'off', '--no-enable', image);
  assert.deepEqual(await rows(tree), [
    ['off', 'offline', 'disabled', 'enable'],
    ['on', 'offline', 'enabled', 'disable'],
  ]);
  assert.match(await tree.runOk('list'), /^off +offline +disabled \(preset: enable\) +0 /m);
  assert.match(
    await tree.runOk('status', 'off'),
    /disabled\n +the first boot enables it: systemd's presets/,
  );
});

test('the timer is enabled in a tree that has berth, and refused in one that has not', async () => {
  using tree = new BerthInTree();
  const refused = await tree.run('policy', '--enable-timer');
  assert.equal(refused.status, 69, refused.stderr);
  assert.match(
    refused.stderr,
    /has no berth-update\.timer: nothing in it would update[^]*hint: install berth's package/,
  );
  assert.equal(await tree.runOk('policy', '--disable-timer'), 'berth-update.timer is disabled\n');
  const units = `${tree.path}/usr/lib/systemd/system`;
  mkdirSync(units, { recursive: true });
  for (const unit of ['berth-update.timer', 'berth-update.service'])
    writeFileSync(`${units}/${unit}`, readFileSync(ownFile(`packaging/systemd/${unit}`)));
  assert.equal(await tree.runOk('policy', '--enable-timer'), 'berth-update.timer is enabled\n');
  assert.equal(readlinkSync(`${tree.path}/${TIMER}`), '/usr/lib/systemd/system/berth-update.timer');
  await tree.runOk('policy', '--enable-timer');
  assert.match(await tree.runOk('policy', '--disable-timer', '--json'), /"timer": false/);
  assert.ok(!existsSync(`${tree.path}/${TIMER}`));
});

test('policies are listed, and that nothing carries them out is told', async () => {
  using tree = new BerthInTree();
  const image = tree.makeImage('web', [{ path: 'probe', content: 'x', mode: 0o755 }]);
  assert.equal(await tree.runOk('policy'), 'no containers are installed\n');
  for (const name of ['db', 'web']) await tree.runOk('install', '--name', name, image);
  assert.equal((await tree.run('policy')).stderr, '', 'no container is updated by itself');
  const set = await tree.run('policy', 'web', '--mode', 'apply', '--window', '02:00-04:00');
  const hint = `berth-update.timer is not enabled: 'berth --root ${tree.path} policy --enable-timer' enables it\n`;
  assert.deepEqual([set.status, set.stderr], [0, hint]);
  const all = await tree.run('policy');
  assert.deepEqual(
    all.stdout.split('\n').map((line) => line.split(/ {2,}/)),
    [
      ['NAME', 'MODE', 'TAGS', 'WINDOW', 'NEW PERMISSIONS'],
      ['db', 'off', '(as installed)', '(always)', 'hold'],
      ['web', 'apply', '(as installed)', '02:00-04:00', 'hold'],
      [''],
    ],
  );
  assert.equal(all.stderr, hint);
  assert.deepEqual(JSON.parse(await tree.runOk('policy', '--json')), {
    timer: false,
    containers: [
      { name: 'db', mode: 'off', newPermissions: 'hold' },
      { name: 'web', mode: 'apply', window: '02:00-04:00', newPermissions: 'hold' },
    ],
  });
});

test('of several names those that are there are shown, and the others told of', async () => {
  using tree = new BerthInTree();
  const image = tree.makeImage('web', [{ path: 'probe', content: 'x', mode: 0o755 }]);
  await tree.runOk('install', '--name', 'web', image);
  for (const command of ['status', 'verify', 'images version']) {
    const result = await tree.run(...command.split(' '), 'none', 'web', '--json');
    assert.equal(result.status, 66, `${command}: ${result.stderr}`);
    assert.equal((JSON.parse(result.stdout) as unknown[]).length, 1, command);
    assert.match(result.stderr, /^\{"error":\{"code":"\w+_NOT_FOUND",[^\n]*none[^\n]*\n$/);
    const neither = await tree.run(...command.split(' '), 'none', 'nor');
    assert.deepEqual([neither.status, neither.stdout], [66, ''], command);
  }
});

test('a filter that nothing passes is not an empty host', async () => {
  using tree = new BerthInTree();
  assert.equal(await tree.runOk('list'), 'no containers are installed\n');
  assert.equal(
    await tree.runOk('list', '--filter', 'name=web'),
    'no container is what the filters say\n',
  );
  assert.equal(
    await tree.runOk('images', 'list', '--filter', 'name=web'),
    'no image is what the filters say\n',
  );
});
