import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { after, before, test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';
import { each } from '../support/each.js';
import { assertRefusedInWords } from '../support/refused.js';

// What an administrator changes in config.json stays changed, whatever the image brings.

let tree: BerthInTree;

const at = (path: string): string => `${tree.path}${path}`;

const makeImage = (argument: string): string =>
  tree.makeImage('web', [{ path: 'probe', content: argument, mode: 0o755 }, { path: 'etc/' }]);

before(() => {
  tree = new BerthInTree();
  mkdirSync(at('/etc/berth/config.d'), { recursive: true });
});

after(() => {
  tree[Symbol.dispose]();
});

const CHANGES = '/etc/berth/config.d/web.json';

function change(patch: unknown): void {
  writeFileSync(at(CHANGES), typeof patch === 'string' ? patch : JSON.stringify(patch));
}

interface Config {
  process: { args: string[]; env?: string[]; noNewPrivileges?: boolean };
  hostname?: string;
  linux: { namespaces: object[]; resources?: object; seccomp?: { defaultAction: string } };
}

const config = (): Config =>
  JSON.parse(readFileSync(at('/var/lib/berth/web/config.json'), 'utf8')) as Config;

test('changes are laid over the config.json of an image, and told by name alone', async () => {
  change({
    process: { env: ['SECRET=hush'], noNewPrivileges: true },
    linux: { resources: { memory: { limit: 99_000_000 } } },
  });
  const image = makeImage('one');
  const plan = await tree.runOk('install', '--plan', '--name', 'web', image);
  assert.match(
    plan,
    /\nChanged in its config\.json by \/etc\/berth\/config\.d\/web\.json\n {2}process\.env\n {2}process\.noNewPrivileges\n {2}linux\.resources\n/,
  );
  assert.doesNotMatch(plan.split('\nFiles on the host')[0] ?? '', /hush/);
  await tree.runOk('install', '--name', 'web', image);
  const made = config();
  assert.deepEqual(made.process.env, ['SECRET=hush']);
  assert.deepEqual(made.process.args, ['/probe', 'deaf']);
  assert.equal(made.linux.namespaces.length, 3);
  assert.match(
    readFileSync(at('/etc/systemd/system/web.service.d/10-berth.conf'), 'utf8'),
    /^MemoryMax=99000000$/m,
  );
  assert.match(await tree.runOk('install', '--name', 'web', image), /installed already/);
});

test('info tells of them, and whether they are those of the deployment', async () => {
  assert.match(
    await tree.runOk('info', 'web'),
    /^Changes: {3}of its config\.json, by \/etc\/berth\/config\.d\/web\.json$/m,
  );
  const state = async (): Promise<unknown> =>
    (JSON.parse(await tree.runOk('info', '--json', 'web')) as Record<string, unknown>)[
      'configChanges'
    ];
  assert.deepEqual(await state(), { path: CHANGES, upToDate: true });
  const text = readFileSync(at(CHANGES), 'utf8');
  change({});
  assert.deepEqual(await state(), { path: CHANGES, upToDate: false });
  assert.match(
    await tree.runOk('info', 'web'),
    /web\.json, not as it is now: 'berth update --no-pull web' takes that over$/m,
  );
  change('{');
  assert.match(
    await tree.runOk('info', 'web'),
    /web\.json, which is not taken: see 'berth verify web'$/m,
  );
  change(text);
});

test('they stay over an update', async () => {
  makeImage('two');
  await tree.runOk('update', 'web');
  assert.deepEqual(config().process.env, ['SECRET=hush']);
  assert.match(await tree.runOk('update', 'web'), /nothing changed/);
  assert.match(await tree.runOk('verify', 'web'), /as installed/);
});

test('other changes count from the next update on, and rolling back is to those before', async () => {
  change({ process: { env: null, noNewPrivileges: false } });
  assert.match(await tree.runOk('verify', 'web'), /config\.d\/web\.json.*is not what the config/s);
  assert.match(await tree.runOk('update', '--plan', 'web'), /- process\.env/);
  await tree.runOk('update', 'web');
  assert.deepEqual(config().process, { ...config().process, noNewPrivileges: false });
  assert.equal(config().process.env, undefined);
  assert.equal(config().linux.resources, undefined);
  await tree.runOk('rollback', 'web');
  assert.deepEqual(config().process.env, ['SECRET=hush']);
});

interface Row {
  readonly name: string;
  readonly path: string;
  readonly mode?: number;
  readonly owner?: number;
  readonly says: RegExp;
}

each<Row>(
  'changes that others than root could write are refused, and nothing is changed:',
  [
    {
      name: 'a file of somebody else',
      path: CHANGES,
      owner: 1000,
      says: /'\/etc\/berth\/config\.d\/web\.json' can be written by others than root \(owner 1000, mode 0644\), refusing/,
    },
    {
      name: 'a file that its group may write',
      path: CHANGES,
      mode: 0o664,
      says: /web\.json' can be written by others than root \(owner 0, mode 0664\).*\n.*'chmod go-w \/etc/,
    },
    {
      name: 'a folder that all may write',
      path: '/etc/berth/config.d',
      mode: 0o1777,
      says: /'\/etc\/berth\/config\.d' can be written by others than root \(owner 0, mode 1777\)/,
    },
    {
      name: 'a folder of somebody else',
      path: '/etc/berth/config.d',
      owner: 1000,
      says: /config\.d' can be written by others than root \(owner 1000, mode 0755\)/,
    },
    {
      name: 'a folder above it of somebody else',
      path: '/etc/berth',
      owner: 1000,
      says: /web\.json' can be replaced by others than root: '\/etc\/berth' belongs to user 1000, refusing/,
    },
    {
      name: 'one further up that all may write',
      path: '/etc',
      mode: 0o777,
      says: /than root: '\/etc' can be written by other users.*\nhint: chmod go-w \/etc/,
    },
  ],
  async ({ path, mode, owner, says }) => {
    const before = config();
    change({ process: { user: { uid: 0, gid: 0 } } });
    if (mode !== undefined) chmodSync(at(path), mode);
    if (owner !== undefined) chownSync(at(path), owner, 0);
    const refused = await tree.run('update', '--no-pull', 'web');
    assertRefusedInWords(refused, { status: 78, code: 'CONFIG_INVALID', says });
    assert.deepEqual(config(), before);
    assert.match(
      await tree.runOk('verify', 'web'),
      /can be (?:written|replaced) by others than root/,
    );
    chownSync(at(path), 0, 0);
    chmodSync(at(path), path === CHANGES ? 0o644 : 0o755);
  },
);

test('neither is one that a link gets from where others may put another', async () => {
  mkdirSync(at('/home/someone'), { recursive: true });
  renameSync(at(CHANGES), at('/home/someone/web.json'));
  symlinkSync('../../../home/someone/web.json', at(CHANGES));
  await tree.runOk('update', '--no-pull', '--plan', 'web');
  chownSync(at('/home/someone'), 1000, 1000);
  const refused = await tree.run('update', '--no-pull', 'web');
  const says =
    /web\.json' can be replaced by others than root: '\/home\/someone' belongs to user 1000/;
  assertRefusedInWords(refused, { status: 78, code: 'CONFIG_INVALID', says });
});

test('without the file the config.json is that of the image again', async () => {
  rmSync(at(CHANGES));
  await tree.runOk('update', 'web');
  assert.deepEqual(config().process.env, ['A=b']);
});

test('a filter that they change was chosen still, and holds again without them', async () => {
  const profile = at('/profile.json');
  writeFileSync(profile, '{"defaultAction":"SCMP_ACT_LOG","syscalls":[]}');
  await tree.runOk('update', '--seccomp', profile, 'web');
  assert.equal(config().linux.seccomp?.defaultAction, 'SCMP_ACT_LOG');
  change({ linux: { seccomp: null } });
  assert.match(await tree.runOk('update', '--plan', 'web'), /seccomp/);
  await tree.runOk('update', '--allow-new-permissions', 'web');
  assert.equal(config().linux.seccomp, undefined);
  rmSync(at(CHANGES));
  await tree.runOk('update', 'web');
  assert.equal(config().linux.seccomp?.defaultAction, 'SCMP_ACT_LOG');
});

test('an edit in place is warned of by its content, whatever its time', async () => {
  const path = at('/var/lib/berth/web/config.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace('A=b', 'A=c'));
  makeImage('three');
  const updated = await tree.run('update', 'web');
  assert.equal(updated.status, 0, updated.stderr);
  assert.match(
    updated.stderr,
    /was edited .* or keep the change in \/etc\/berth\/config\.d\/web\.json/,
  );
});

test('changes that cannot be are refused by the name of their file, and nothing is changed', async () => {
  const before = config();
  const rows: readonly (readonly [string, number, string, RegExp])[] = [
    ['{', 65, 'JSON_INVALID', /'\/etc\/berth\/config\.d\/web\.json'/],
    ['{"process":{},"process":{}}', 65, 'JSON_INVALID', /config\.d\/web\.json/],
    ['[]', 78, 'CONFIG_INVALID', /'\/etc\/berth\/config\.d\/web\.json' is not an object/],
    [
      '{"process":null}',
      65,
      'RUNTIME_CONFIG_INVALID',
      /with the changes of '\/etc\/berth\/config\.d\/web\.json'/,
    ],
    ['{"process":{"args":"x"}}', 65, 'RUNTIME_CONFIG_INVALID', /with the changes of/],
    ['{"root":{"readonly":false}}', 65, 'RUNTIME_UNSUPPORTED', /with the changes of/],
    [`{"a":${'{"b":'.repeat(40)}1${'}'.repeat(40)}}`, 65, 'JSON_INVALID', /config\.d\/web\.json/],
    [`{"a":"${'x'.repeat(300_000)}"}`, 65, 'LIMIT_EXCEEDED', /web\.json/],
  ];
  for (const [text, status, code, says] of rows) {
    change(text);
    const refused = await tree.run('update', 'web');
    assertRefusedInWords({ ...refused, stderr: refused.stderr }, { status, code, says });
    assert.deepEqual(config(), before, text.slice(0, 40));
  }
  change('{"__proto__":{"x":1},"constructor":{"prototype":null}}');
  await tree.runOk('update', 'web');
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
});

test('a file that leads out of the tree is not read', async () => {
  rmSync(at(CHANGES));
  symlinkSync('/etc/hostname', at(CHANGES));
  assertRefusedInWords(await tree.run('update', 'web'), {
    status: 65,
    code: 'HOST_PATH_REFUSED',
    says: /leads out of the tree of '--root'/,
  });
});
