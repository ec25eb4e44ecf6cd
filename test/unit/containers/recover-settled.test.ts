import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readlinkSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';

import { beginChange } from '../../../src/containers/begin-change.js';
import type { DeployedFile } from '../../../src/containers/deployment.js';
import { sha256Of } from '../../../src/containers/file-state.js';
import {
  beginJournal,
  endJournal,
  findJournal,
  journalFile,
  type JournalEntry,
} from '../../../src/containers/journal.js';
import { lockAndRecover } from '../../../src/containers/name-lock.js';
import { recoverContainer } from '../../../src/containers/recover.js';
import {
  invert,
  type Transition,
  type TransitionSide,
} from '../../../src/containers/transition.js';
import { folderHost, type FolderHost } from '../../support/folder-host.js';
import { runningManager } from '../../support/running-manager.js';
import { TempDir } from '../../support/temp-dir.js';

const UNIT = '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n';

function side(name: string, number: number): TransitionSide {
  const unit: DeployedFile = {
    role: 'unit',
    path: `/etc/systemd/system/${name}.service`,
    kind: 'file',
    sha256: sha256Of(UNIT),
    mode: 0o644,
    source: `${name}.service`,
  };
  const units = [`${name}.service`];
  const nothing = { digest: undefined, up: [], createdPaths: [] };
  return { number, files: [unit], units, enabled: units, ...nothing };
}

function fromFirstToSecond(name: string): Transition {
  const sides = { from: side(name, 0), to: side(name, 1) };
  return { name, ...sides, builds: true, starts: true, dependents: [], rejected: undefined };
}

function updateOf(label: string, names: readonly string[]): JournalEntry {
  const transitions = names.map(fromFirstToSecond);
  return { operation: 'update', name: label, transitions, purge: false, keep: 1, watch: false };
}

/** Puts a deployment there, its unit onto the host, and has the name point to it. */
function deploy(host: FolderHost, name: string, number: number): void {
  const { root } = host.paths;
  const state = `${root}/var/lib/berth`;
  mkdirSync(`${root}/etc/systemd/system`, { recursive: true });
  writeFileSync(`${root}/etc/systemd/system/${name}.service`, UNIT);
  mkdirSync(`${state}/${name}.${number}`, { recursive: true });
  writeFileSync(`${state}/${name}.${number}/${name}.service`, UNIT);
  symlinkSync(`${name}.${number}`, `${state}/${name}`);
}

test('recoverContainer() stays at the new version where the one before is removed already: there is no way back', async () => {
  using dir = new TempDir();
  const units = {
    ...runningManager(dir.path, []),
    start: () => Promise.resolve({ result: 'failed' as const }),
  };
  await using host = folderHost(dir.path, units);
  deploy(host, 'web', 1);
  await beginJournal(host.paths, updateOf('web', ['web']));
  await recoverContainer(host, 'web');
  assert.equal(readlinkSync(`${dir.path}/var/lib/berth/web`), 'web.1');
  assert.ok(existsSync(`${dir.path}/var/lib/berth/web.1/web.service`));
  assert.equal(await findJournal(host.paths, 'web'), undefined, 'no later command is kept from it');
});

test('the entry of a set that could not be cleared up leaves a member alone that was changed by itself since', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  for (const name of ['web', 'db']) deploy(host, name, 1);
  const settings = `${dir.path}/var/lib/berth/.settings`;
  mkdirSync(`${settings}/db.json`, { recursive: true });
  await beginJournal(host.paths, updateOf('@shop', ['web', 'db']));
  (await lockAndRecover(host, 'web'))[Symbol.dispose]();
  assert.ok((await findJournal(host.paths, '@shop')) !== undefined, 'clearing up failed');
  // What rolling it back by itself comes to.
  const [update] = updateOf('web', ['web']).transitions;
  assert.ok(update !== undefined);
  const transitions = [invert(update, undefined)];
  await beginChange(host, { ...updateOf('web', []), operation: 'rollback', transitions });
  unlinkSync(`${dir.path}/var/lib/berth/web`);
  deploy(host, 'web', 0);
  await endJournal(host.paths, 'web');
  (await lockAndRecover(host, 'web'))[Symbol.dispose]();
  assert.equal(readlinkSync(`${dir.path}/var/lib/berth/web`), 'web.0');
});

test('what a set could not clear up of a member is its own again where the change of that is taken back', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  for (const name of ['web', 'db']) deploy(host, name, 1);
  const before = `${dir.path}/var/lib/berth/web.0`;
  mkdirSync(before);
  const settings = `${dir.path}/var/lib/berth/.settings/db.json`;
  mkdirSync(settings, { recursive: true });
  await beginJournal(host.paths, updateOf('@shop', ['db', 'web']));
  (await lockAndRecover(host, 'web'))[Symbol.dispose]();
  assert.ok(existsSync(before), 'clearing up failed');
  const next = { from: side('web', 1), to: side('web', 2) };
  await beginChange(host, {
    ...updateOf('web', []),
    transitions: [{ ...fromFirstToSecond('web'), ...next }],
  });
  const left = await findJournal(host.paths, '@shop');
  assert.deepEqual(
    left?.transitions.map(({ name }) => name),
    ['db'],
  );
  // It is killed, and by now there is nothing that keeps the set from being cleared up.
  rmdirSync(settings);
  (await lockAndRecover(host, 'web'))[Symbol.dispose]();
  assert.equal(readlinkSync(`${dir.path}/var/lib/berth/web`), 'web.1');
  (await lockAndRecover(host, 'web'))[Symbol.dispose]();
  assert.ok(!existsSync(before), 'nobody will ever clear it up');
  for (const name of ['web', '@shop']) assert.equal(await findJournal(host.paths, name), undefined);
});

test('what a set could not clear up of a member stays its own where no change of that can be begun', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  for (const name of ['web', 'db']) deploy(host, name, 1);
  await beginJournal(host.paths, updateOf('@shop', ['db', 'web']));
  mkdirSync(host.paths.onDisk(journalFile(host.paths, 'web')));
  await assert.rejects(beginChange(host, updateOf('web', ['web'])), /web\.json/);
  const left = await findJournal(host.paths, '@shop');
  assert.deepEqual(
    left?.transitions.map(({ name }) => name),
    ['db', 'web'],
  );
});

test('the entry of a set does not bring a member back that was uninstalled since', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  deploy(host, 'db', 1);
  await beginJournal(host.paths, updateOf('@shop', ['web', 'db']));
  (await lockAndRecover(host, '@shop'))[Symbol.dispose]();
  assert.ok(!existsSync(`${dir.path}/var/lib/berth/web`));
  assert.ok(!existsSync(`${dir.path}/etc/systemd/system/web.service`));
  assert.equal(readlinkSync(`${dir.path}/var/lib/berth/db`), 'db.1');
  assert.equal(await findJournal(host.paths, '@shop'), undefined);
});
