import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';
import { each } from '../support/each.js';
import { runOk } from '../support/run-command.js';
import { TempDir } from '../support/temp-dir.js';
import { compareSnapshots, snapshotTree } from '../support/tree-snapshot.js';

import { PROGRAM } from '../torture/program.js';
import { supervise, type Supervised } from '../torture/supervise.js';

// An edited config.json is taken over whole or not at all.

interface Config {
  process: { args: unknown[]; env: string[] };
  mounts: object[];
  linux: Record<string, unknown>;
}

let tree: BerthInTree;

before(async () => {
  tree = new BerthInTree();
  const image = tree.makeImage('web', [
    { path: 'probe', content: 'program', mode: 0o755 },
    { path: 'etc/' },
    { path: 'data', type: 'symlink', link: 'var/lib/data' },
  ]);
  await tree.runOk('install', '--name', 'web', image);
});

after(() => {
  tree[Symbol.dispose]();
});

const at = (path: string): string => `${tree.path}${path}`;
const CONFIG = '/var/lib/berth/web/config.json';
const PLAN = '/var/lib/berth/web/launch.plan';
const DROP_IN = '/etc/systemd/system/web.service.d/10-berth.conf';

function edit(change: (config: Config) => void): void {
  const config = JSON.parse(readFileSync(at(CONFIG), 'utf8')) as Config;
  change(config);
  writeFileSync(at(CONFIG), JSON.stringify(config, null, 2));
}

function nameOf({ calls }: Supervised): string {
  const last = calls.at(-1);
  return `killed at ${last?.call} ${last?.places.join(' ')}`;
}

test('berth apply finds nothing to do where nothing was edited', async () => {
  const plan = readFileSync(at(PLAN));
  assert.match(await tree.runOk('apply', 'web'), /nothing to do/);
  assert.deepEqual(readFileSync(at(PLAN)), plan);
});

test('berth apply compiles what was edited, drop-in, mount points and all', async () => {
  const { mtimeNs } = statSync(at('/var/lib/berth/web/rootfs/etc'), { bigint: true });
  edit((config) => {
    config.process.args = ['/probe', 'new-argument'];
    config.mounts.push(
      {
        destination: '/data/deep',
        type: 'bind',
        source: '/srv/web-data',
        options: ['rbind', 'rw'],
      },
      { destination: '/etc/extra', type: 'tmpfs', source: 'tmpfs' },
    );
    config.linux['resources'] = { memory: { limit: 123_456_789 } };
  });
  const plan = await tree.runOk('apply', '--plan', 'web');
  assert.match(plan, /\+ \/srv\/web-data at \/data\/deep/);
  assert.match(plan, /\+ MemoryMax=123456789/);
  assert.ok(!readFileSync(at(PLAN)).includes('new-argument'), '--plan changed something');
  assert.equal((await tree.run('verify', 'web')).status, 1, 'not applied yet');

  assert.match(await tree.runOk('apply', 'web'), /holds from the next start on/);
  assert.ok(readFileSync(at(PLAN)).includes('new-argument'));
  assert.match(readFileSync(at(DROP_IN), 'utf8'), /MemoryMax=123456789/);
  assert.match(readFileSync(at(DROP_IN), 'utf8'), /RequiresMountsFor=.*\/srv\/web-data/);
  assert.match(readFileSync(at('/etc/tmpfiles.d/tmpfiles-web.conf'), 'utf8'), /\/srv\/web-data/);
  assert.ok(statSync(at('/srv/web-data')).isDirectory());
  assert.ok(statSync(at('/var/lib/berth/web/rootfs/var/lib/data/deep')).isDirectory());
  const etc = statSync(at('/var/lib/berth/web/rootfs/etc'), { bigint: true });
  assert.equal(etc.mtimeNs, mtimeNs, 'the folder keeps its time');
  assert.equal(await tree.runOk('verify', 'web'), 'web.0: as installed\n');
  assert.match(await tree.runOk('apply', 'web'), /nothing to do/);
  assert.ok(!existsSync(at('/var/lib/berth/.journal/web.apply')));
});

test('an apply that is killed at any call in the root leaves what the next one makes whole', async () => {
  edit((config) => {
    config.mounts.push({ destination: '/etc/new/deep', type: 'tmpfs', source: 'tmpfs' });
  });
  const argv = [process.execPath, PROGRAM, '--root', tree.path, 'apply', 'web'];
  const roots = [at('/var/lib/berth/web.0/rootfs')];
  let killed = 0;
  for (let number = 1; ; number++) {
    using copy = new TempDir();
    await runOk(['cp', '-a', `${tree.path}/.`, copy.path]);
    const run = await supervise(argv, { roots, killAt: number });
    if (run.fired !== 'killed') break;
    killed += 1;
    await tree.runOk('apply', 'web');
    assert.equal(await tree.runOk('verify', 'web'), 'web.0: as installed\n', nameOf(run));
    await runOk(['rm', '-r', ...readdirSync(tree.path).map((name) => join(tree.path, name))]);
    await runOk(['cp', '-a', `${copy.path}/.`, tree.path]);
  }
  assert.ok(killed >= 6, `${killed} calls: two folders with mode and time, and the time of theirs`);
});

each(
  'berth apply names what is wrong, and changes nothing',
  [
    {
      name: 'a number for a word',
      change: (config: Config) => {
        config.process.args = ['/probe', 7];
      },
      status: 65,
      says: /process\/args\/1|process\.args\[1\]/,
    },
    {
      name: 'a namespace that there is none of',
      change: (config: Config) => {
        config.linux['namespaces'] = [{ type: 'pid' }, { type: 'everything' }];
      },
      status: 65,
      says: /linux\/namespaces\/1|linux\.namespaces\[1\]/,
    },
    {
      name: 'a root that may be written to',
      change: (config: Config) => {
        Object.assign(config, { root: { path: 'rootfs', readonly: false } });
      },
      status: 65,
      says: /root/,
    },
    {
      name: 'a mount on a file of the image',
      change: (config: Config) => {
        config.mounts.push({ destination: '/probe/x', type: 'tmpfs', source: 'tmpfs' });
      },
      status: 65,
      says: /probe/,
    },
  ],
  async ({ change, status, says }) => {
    const saved = readFileSync(at(CONFIG));
    edit(change);
    const pristine = await snapshotTree(tree.path);
    const refused = await tree.run('apply', 'web');
    assert.equal(refused.status, status, refused.stderr);
    assert.match(refused.stderr, says);
    assert.deepEqual(compareSnapshots(pristine, await snapshotTree(tree.path)), []);
    writeFileSync(at(CONFIG), saved);
    await tree.runOk('apply', 'web');
  },
);

test('berth apply refuses what is no JSON', async () => {
  const saved = readFileSync(at(CONFIG));
  appendFileSync(at(CONFIG), ']');
  const refused = await tree.run('apply', 'web');
  assert.equal(refused.status, 65, refused.stderr);
  assert.match(refused.stderr, /config\.json/);
  writeFileSync(at(CONFIG), saved);
  await tree.runOk('apply', 'web');
});

test('berth apply keeps a drop-in that an administrator changed, and says so', async () => {
  const saved = readFileSync(at(DROP_IN));
  appendFileSync(at(DROP_IN), '# mine\n');
  edit((config) => {
    config.linux['resources'] = { memory: { limit: 200_000_000 } };
  });
  const applied = await tree.run('apply', 'web');
  assert.equal(applied.status, 0, applied.stderr);
  assert.match(applied.stderr, /10-berth\.conf' was changed by an administrator, keeping it/);
  assert.match(readFileSync(at(DROP_IN), 'utf8'), /# mine/);
  writeFileSync(at(DROP_IN), saved);
});

test('an apply that was cut off is finished, or forgotten, by the next command', async () => {
  // As a kill leaves it: written down whole, and not yet in place.
  using other = new BerthInTree();
  const image = other.makeImage('web', [{ path: 'probe', content: 'program', mode: 0o755 }]);
  await other.runOk('install', '--name', 'web', image);
  const journal = `${other.path}/var/lib/berth/.journal`;
  const config = `${other.path}${CONFIG}`;
  const before = other.layout('before');
  copyFileSync(`${other.path}/var/lib/berth/web.0/launch.plan`, before);
  writeFileSync(config, readFileSync(config, 'utf8').replace('"deaf"', '"other"'));
  await other.runOk('apply', 'web');
  const plan = readFileSync(`${other.path}${PLAN}`);
  const staged = `${journal}/web.apply`;
  mkdirSync(staged, { recursive: true });
  writeFileSync(`${staged}/launch.plan`, plan);
  writeFileSync(
    `${staged}/apply.json`,
    JSON.stringify({ format: 1, name: 'web', number: 0, names: ['launch.plan'], files: [] }),
  );
  renameSync(before, `${other.path}/var/lib/berth/web.0/launch.plan`);
  mkdirSync(`${journal}/gone.apply.new`);
  await other.runOk('recover');
  assert.deepEqual(readFileSync(`${other.path}${PLAN}`), plan);
  assert.ok(!existsSync(staged) && !existsSync(`${journal}/gone.apply.new`));
  rmSync(before, { force: true });
});
