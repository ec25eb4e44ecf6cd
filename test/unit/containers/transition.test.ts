import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';

import { readSettings } from '../../../src/containers/container-settings.js';
import { formatDeployment, type DeployedFile } from '../../../src/containers/deployment.js';
import { executeTransition } from '../../../src/containers/execute-transition.js';
import { sha256Of } from '../../../src/containers/file-state.js';
import { beginJournal, findJournal, type JournalEntry } from '../../../src/containers/journal.js';
import { recoverContainer } from '../../../src/containers/recover.js';
import {
  sideOf,
  type Transition,
  type TransitionSide,
} from '../../../src/containers/transition.js';
import { parseDigest, type Digest } from '../../../src/oci/digest.js';
import { assertFails } from '../../support/assert-fails.js';
import { deploymentRecord } from '../../support/deployment-record.js';
import { each } from '../../support/each.js';
import { folderHost, type FolderHost } from '../../support/folder-host.js';
import { runningManager, type RunningManager } from '../../support/running-manager.js';
import { TempDir } from '../../support/temp-dir.js';

// From web.0 to web.1 and back, on a folder with a service manager that only notes what it is asked for.

const UNIT = '/etc/systemd/system/web.service';
const CONF = '/etc/web.conf';
const OLD_ONLY = '/etc/web-old.conf';
const NEW_ONLY = '/etc/web-new.conf';

const CONTENTS: readonly Readonly<Record<string, string>>[] = [
  { [UNIT]: '[Service]\nExecStart=/a\n', [CONF]: 'zero', [OLD_ONLY]: 'old' },
  { [UNIT]: '[Service]\nExecStart=/b\n', [CONF]: 'one', [NEW_ONLY]: 'new' },
];

function digest(number: number): Digest {
  return parseDigest(`sha256:${String(number).repeat(64)}`);
}

/** Writes the directory of a deployment and gives its record. */
function makeDeployment(host: FolderHost, number: number): ReturnType<typeof deploymentRecord> {
  const folder = `${host.paths.root}/var/lib/berth/web.${number}`;
  mkdirSync(folder, { recursive: true });
  const files = Object.entries(CONTENTS[number] ?? {}).map(([path, text]): DeployedFile => {
    const source = path.slice(path.lastIndexOf('/') + 1);
    writeFileSync(`${folder}/${source}`, text);
    const role = path === UNIT ? 'unit' : 'host-file';
    return { role, path, kind: 'file', sha256: sha256Of(text), mode: 0o644, source };
  });
  const image = { reference: 'web', storeName: 'web', digest: digest(number) };
  const units = ['web.service'];
  const record = deploymentRecord({ name: 'web', number, image, files, units });
  const health = { ...record.health, soakMs: 20 };
  writeFileSync(`${folder}/deployment.json`, formatDeployment({ ...record, health }));
  return record;
}

function place(host: FolderHost, number: number): void {
  mkdirSync(`${host.paths.root}/etc/systemd/system`, { recursive: true });
  for (const [path, text] of Object.entries(CONTENTS[number] ?? {}))
    writeFileSync(`${host.paths.root}${path}`, text);
}

interface Scene {
  readonly host: FolderHost;
  readonly manager: RunningManager;
  readonly entry: JournalEntry;
}

/** web.0 is installed and runs; web.1 lies beside it. */
function makeScene(root: string, changes: Partial<Transition> = {}): Scene {
  const manager = runningManager(root, ['web.service']);
  const host = folderHost(root, manager);
  const [from, to] = [makeDeployment(host, 0), makeDeployment(host, 1)];
  place(host, 0);
  symlinkSync('web.0', `${root}/var/lib/berth/web`);
  const transition: Transition = {
    name: 'web',
    from: sideOf(from, []),
    to: sideOf(to, []),
    builds: true,
    starts: true,
    dependents: [],
    rejected: undefined,
    ...changes,
  };
  const entry: JournalEntry = {
    operation: 'update',
    name: 'web',
    transitions: [transition],
    purge: false,
    keep: 2,
    watch: true,
  };
  return { host, manager, entry };
}

/** What a person sees of the way. */
function stepsOf(host: FolderHost): readonly string[] {
  return host.events.filter(({ kind }) => kind === 'step').map(({ text }) => text);
}

function relink(root: string, target: string): void {
  rmSync(`${root}/var/lib/berth/web`);
  symlinkSync(target, `${root}/var/lib/berth/web`);
}

/** Which version the host shows; fails where it shows some of both. */
function versionOf(root: string): number {
  const number = Number(readlinkSync(`${root}/var/lib/berth/web`).slice('web.'.length));
  for (const path of [UNIT, CONF, OLD_ONLY, NEW_ONLY]) {
    const found = existsSync(`${root}${path}`) ? readFileSync(`${root}${path}`, 'utf8') : undefined;
    assert.equal(found, CONTENTS[number]?.[path], `${path} is not that of version ${number}`);
  }
  return number;
}

test('executeTransition() stops, switches, has systemd read its files once, and starts', async () => {
  using dir = new TempDir();
  const { host, manager, entry } = makeScene(dir.path);
  await executeTransition(host, entry, []);
  assert.equal(versionOf(dir.path), 1);
  assert.deepEqual(manager.asked, [
    'stop web.service',
    'reload',
    'reset web.service',
    'start web.service',
  ]);
  assert.equal(await findJournal(host.paths, 'web'), undefined);
  assert.deepEqual((await readSettings(host.paths, 'web')).order, [0, 1]);
  assert.deepEqual(stepsOf(host), ['Starting web', 'Watching whether web stays up, for 0.02 s']);
});

test('executeTransition() goes back from a version that does not stay up, and remembers its image', async () => {
  using dir = new TempDir();
  const { host, manager, entry } = makeScene(dir.path);
  manager.failAfterStart = (): boolean => readlinkSync(`${dir.path}/var/lib/berth/web`) === 'web.1';
  await assertFails('UPDATE_UNHEALTHY', () => executeTransition(host, entry, []));
  assert.equal(versionOf(dir.path), 0);
  assert.ok(manager.running.has('web.service'), 'the version before does not run');
  assert.ok(!existsSync(`${dir.path}/var/lib/berth/web.1`));
  assert.equal((await readSettings(host.paths, 'web')).rejected[0]?.digest, digest(1));
  assert.equal(await findJournal(host.paths, 'web'), undefined);
  assert.deepEqual(stepsOf(host).slice(-3), [
    'Taking back the update of web',
    'Starting web',
    'web is at deployment 0 again',
  ]);
});

test('an interrupted command goes back too, and rejects nothing', async () => {
  using dir = new TempDir();
  const { host, entry } = makeScene(dir.path);
  const abort = new AbortController();
  const interrupted = { ...host, signal: abort.signal };
  setTimeout(() => {
    abort.abort();
  }, 5);
  await assert.rejects(executeTransition(interrupted, entry, []));
  assert.equal(versionOf(dir.path), 0);
  assert.deepEqual((await readSettings(host.paths, 'web')).rejected, []);
  assert.equal(stepsOf(host).at(-1), 'web is at deployment 0 again');
});

each(
  'recoverContainer() takes back what was not committed, and finishes what was',
  [
    { name: 'the link is the old one', link: 'web.0', files: 0, want: 0 },
    { name: 'the link is the new one, no file is', link: 'web.1', files: 0, want: 1 },
    { name: 'the link and the files are the new ones', link: 'web.1', files: 1, want: 1 },
  ],
  async ({ link, files, want }) => {
    using dir = new TempDir();
    const { host, manager, entry } = makeScene(dir.path);
    await beginJournal(host.paths, entry);
    manager.running.clear();
    if (files === 1) {
      place(host, 1);
      rmSync(`${dir.path}${OLD_ONLY}`);
    }
    relink(dir.path, link);
    await recoverContainer(host, 'web');
    assert.equal(versionOf(dir.path), want);
    assert.ok(manager.running.has('web.service'));
    assert.equal(existsSync(`${dir.path}/var/lib/berth/web.1`), want === 1);
    assert.equal(await findJournal(host.paths, 'web'), undefined);
  },
);

test('recoverContainer() at boot starts nothing, and leaves the watching to the next command', async () => {
  using dir = new TempDir();
  const { host, manager, entry } = makeScene(dir.path);
  await beginJournal(host.paths, entry);
  manager.running.clear();
  relink(dir.path, 'web.1');
  await recoverContainer(host, 'web', { atBoot: true });
  assert.equal(versionOf(dir.path), 1);
  assert.deepEqual([...manager.running], []);
  assert.notEqual(await findJournal(host.paths, 'web'), undefined);
  manager.failAfterStart = (): boolean => readlinkSync(`${dir.path}/var/lib/berth/web`) === 'web.1';
  await recoverContainer(host, 'web');
  assert.equal(versionOf(dir.path), 0, 'a version that is not well was kept after a crash');
  assert.equal((await readSettings(host.paths, 'web')).rejected[0]?.digest, digest(1));
});

test('H12 a way back keeps what an administrator put there meanwhile, and comes to its end', async () => {
  using dir = new TempDir();
  const { host, manager, entry } = makeScene(dir.path);
  manager.failAfterStart = (): boolean => {
    if (readlinkSync(`${dir.path}/var/lib/berth/web`) !== 'web.1') return false;
    writeFileSync(`${dir.path}${OLD_ONLY}`, 'mine');
    return true;
  };
  await assertFails('UPDATE_UNHEALTHY', () => executeTransition(host, entry, []));
  assert.equal(readlinkSync(`${dir.path}/var/lib/berth/web`), 'web.0');
  assert.equal(readFileSync(`${dir.path}${OLD_ONLY}`, 'utf8'), 'mine');
  assert.equal(readFileSync(`${dir.path}${CONF}`, 'utf8'), 'zero');
  assert.equal(await findJournal(host.paths, 'web'), undefined);
});

const SOCKET = '/etc/systemd/system/web.socket';

/** The same scene, with a socket on both sides that is up before and after. */
function makeSocketScene(root: string, texts: readonly [string, string]): Scene {
  const scene = makeScene(root);
  const { entry, manager } = scene;
  manager.running.add('web.socket');
  const withSocket = (
    side: TransitionSide | undefined,
    text: string,
  ): TransitionSide | undefined => {
    if (side === undefined) return undefined;
    writeFileSync(`${root}/var/lib/berth/web.${side.number}/web.socket`, text);
    const file: DeployedFile = {
      ...{ role: 'unit', path: SOCKET, kind: 'file', mode: 0o644, source: 'web.socket' },
      sha256: sha256Of(text),
    };
    const units = ['web.service', 'web.socket'];
    return { ...side, units, up: ['web.socket'], files: [...side.files, file] };
  };
  writeFileSync(`${root}${SOCKET}`, texts[0]);
  const transitions = entry.transitions.map((transition) => ({
    ...transition,
    from: withSocket(transition.from, texts[0]),
    to: withSocket(transition.to, texts[1]),
  }));
  return { ...scene, entry: { ...entry, transitions } };
}

test('a socket that stays the same stays up, and its service is stopped when all else is done', async () => {
  using dir = new TempDir();
  const { host, manager, entry } = makeSocketScene(dir.path, ['same', 'same']);
  await executeTransition(host, entry, []);
  assert.deepEqual(manager.asked, [
    'reload',
    'stop web.service',
    'reset web.service',
    'start web.service',
  ]);
});

test('a socket that changes is stopped first, and started before its service', async () => {
  using dir = new TempDir();
  const { host, manager, entry } = makeSocketScene(dir.path, ['old', 'new']);
  await executeTransition(host, entry, []);
  assert.deepEqual(manager.asked, [
    'stop web.socket',
    'stop web.service',
    'reload',
    'reset web.socket',
    'start web.socket',
    'reset web.service',
    'start web.service',
  ]);
});

test('what was started by its socket before that could be started is stopped for it', async () => {
  using dir = new TempDir();
  const { host, manager, entry } = makeSocketScene(dir.path, ['old', 'new']);
  manager.reload = () => {
    manager.running.add('web.service');
    return Promise.resolve();
  };
  await executeTransition(host, entry, []);
  assert.deepEqual(manager.asked.slice(2), [
    'stop web.service',
    'reset web.socket',
    'start web.socket',
    'reset web.service',
    'start web.service',
  ]);
});

test('recoverContainer() stops what was switched, but for the socket, and starts it again', async () => {
  using dir = new TempDir();
  const { host, manager, entry } = makeSocketScene(dir.path, ['same', 'same']);
  await beginJournal(host.paths, entry);
  relink(dir.path, 'web.1');
  await recoverContainer(host, 'web');
  assert.equal(versionOf(dir.path), 1);
  assert.deepEqual(
    manager.asked.filter((asked) => asked !== 'reload'),
    ['stop web.service', 'reset web.service', 'start web.service'],
  );
});
