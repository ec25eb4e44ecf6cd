import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';

import { tryLock } from '../../src/sys/lock-file.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { runCommand, runOk } from '../support/run-command.js';
import { TempDir } from '../support/temp-dir.js';
import { compareSnapshots, snapshotTree } from '../support/tree-snapshot.js';

/*
 * What `--plan` says, and that it does nothing: uninstalling and going back, and where there is no room. Installing and updating
 * have theirs on booted hosts.
 */

const tree = new BerthInTree();

after(() => {
  tree[Symbol.dispose]();
});

const HOSTFS = [
  { path: 'exports/hostfs/' },
  { path: 'exports/hostfs/etc/' },
  { path: 'exports/hostfs/etc/web.conf', content: 'one\n' },
  { path: 'exports/hostfs/etc/web.d/' },
  { path: 'exports/hostfs/etc/web.d/kept.conf', content: 'two\n' },
];
const TMPFILES = 'd /var/lib/$NAME 0700 root root\n';

async function assertChangesNothing(body: () => Promise<string>): Promise<string> {
  const before = await snapshotTree(tree.path);
  const text = await body();
  assert.deepEqual(compareSnapshots(before, await snapshotTree(tree.path)), []);
  return text;
}

test('uninstalling says beforehand what goes and what stays', async () => {
  mkdirSync(`${tree.path}/etc`, { recursive: true });
  const image = tree.makeImage('v1', HOSTFS, { 'tmpfiles.template': TMPFILES });
  await tree.runOk('install', '--name', 'web', image);
  mkdirSync(`${tree.path}/var/lib/web`, { recursive: true });
  writeFileSync(`${tree.path}/etc/web.d/kept.conf`, 'mine\n');

  const text = await assertChangesNothing(() => tree.runOk('uninstall', '--plan', 'web'));
  for (const line of [
    'Uninstall web',
    '  - web.service',
    '  - /etc/systemd/system/web.service',
    '  - /etc/web.conf',
    '    /etc/web.d/kept.conf',
    '  - web.0',
    '    /var/lib/web',
  ])
    assert.ok(text.split('\n').includes(line), `${line}\n${text}`);
  assert.ok(!text.includes('- /etc/web.d/kept.conf'), text);
  const purging = await assertChangesNothing(() =>
    tree.runOk('uninstall', '--plan', '--purge', 'web'),
  );
  assert.ok(purging.split('\n').includes('  - /var/lib/web'), purging);
  const unknown = await tree.run('uninstall', '--plan', 'wep');
  assert.equal(unknown.status, 66, unknown.stderr);

  // The plan is what happens then.
  const [plan] = JSON.parse(await tree.runOk('--json', 'uninstall', '--plan', 'web')) as readonly {
    readonly removes: readonly string[];
    readonly keeps: readonly string[];
  }[];
  const [done] = JSON.parse(await tree.runOk('--json', 'uninstall', 'web')) as readonly {
    readonly kept: readonly string[];
    readonly statePaths: readonly string[];
  }[];
  assert.deepEqual(plan?.keeps, done?.kept);
  assert.ok((plan?.removes.length ?? 0) > 3);
  for (const path of plan?.removes ?? [])
    assert.ok(!existsSync(`${tree.path}${path}`) || path === '/etc/web.d', path);
});

test('one name that is not there does not keep the others from being uninstalled', async () => {
  const image = tree.makeImage('small', []);
  for (const name of ['a', 'b']) await tree.runOk('install', '--name', name, image);
  await tree.runOk('sets', 'create', 'pair', 'a', 'b');
  const { status, stdout, stderr } = await tree.run('uninstall', 'a', 'typo', 'b');
  assert.equal(status, 66);
  assert.match(stderr, /no container named 'typo'/);
  assert.match(stdout, /a uninstalled\nb uninstalled/);
  assert.match(stderr, /'a' belongs to the set 'pair', which is not updated without it/);
});

test('going back says beforehand what changes', async () => {
  const first = tree.makeImage('first', [{ path: 'version', content: '1' }]);
  await tree.runOk('install', '--name', 'back', first);
  const second = tree.makeImage('second', [{ path: 'version', content: '22' }]);
  await tree.runOk('update', '--rebase', second, 'back');
  const text = await assertChangesNothing(() => tree.runOk('rollback', '--plan', 'back'));
  assert.match(text, /^back\.1 → back\.0$/m);
  assert.match(text, /~ \/version/);
  assert.match(text, /Nothing was changed/);
  assert.equal((await tree.run('rollback', '--plan', '--to', '7', 'back')).status, 66);
  await tree.runOk('rollback', 'back');
});

test('what somebody is at work on, and what cannot be read, keeps no other from being planned', async () => {
  const image = tree.makeImage('recovered', []);
  const names = ['busy', 'damaged', 'left'];
  for (const name of names) await tree.runOk('install', '--name', name, image);
  const state = `${tree.path}/var/lib/berth`;
  mkdirSync(`${state}/.journal`, { recursive: true });
  for (const name of names) {
    const entry = { format: 2, operation: 'update', name, transitions: [], purge: false, keep: 1 };
    const text = name === 'damaged' ? '{' : JSON.stringify({ ...entry, watch: false });
    writeFileSync(`${state}/.journal/${name}.json`, text);
  }
  const held = tryLock(`${state}/.locks/busy.lock`, 'exclusive') ?? assert.fail();
  try {
    const plan = await tree.run('recover', '--plan');
    assert.equal(plan.status, 0, plan.stderr);
    assert.match(plan.stdout, /^would take back the update of left\nNothing was changed/);
    assert.match(
      plan.stderr,
      /^berth: another berth is changing 'busy' at present, leaving it out$/m,
    );
    assert.match(plan.stderr, /^berth: 'damaged' cannot be recovered: /m);
  } finally {
    held.release();
  }
  for (const name of names) rmSync(`${state}/.journal/${name}.json`);
});

test('installing and updating say beforehand that there is no room', async () => {
  using disk = new TempDir();
  await runOk(['mount', '-t', 'tmpfs', '-o', 'size=2m', 'small', disk.path]);
  try {
    using small = new BerthInTree(disk.path);
    const file = (bytes: number) => [{ path: 'data', content: randomBytes(bytes) }];
    const large = small.makeImage('web', file(3_000_000));
    const plan = await small.run('install', '--plan', '--name', 'web', large);
    assert.equal(plan.status, 0, plan.stderr);
    assert.match(
      plan.stderr,
      /^berth: 'oci:.*needs more than 3\.0 MB for 2 layers, and where .* are free: it cannot be carried out$/m,
    );
    const refused = await small.run('install', '--name', 'web', large);
    assert.equal(refused.status, 73, refused.stderr);
    const forced = ['env', 'BERTH_CHECK_SPACE=false'];
    const unasked = await runCommand([
      ...forced,
      ...small.command('install', '--plan', '--name', 'web', large),
    ]);
    assert.equal(unasked.status, 0, unasked.stderr);
    assert.doesNotMatch(unasked.stderr, /free/);
    await small.runOk('install', '--name', 'web', small.makeImage('web', file(1000)));
    small.makeImage('web', file(3_000_000));
    const update = await small.run('update', '--plan', 'web');
    assert.equal(update.status, 0, update.stderr);
    assert.match(update.stderr, /are free: it fits only if it has most files of the version/);
  } finally {
    await runOk(['umount', disk.path]);
  }
});
