import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';

import { formatDeployment, type DeployedFile } from '../../../src/containers/deployment.js';
import { sha256Of } from '../../../src/containers/file-state.js';
import { completeTransition } from '../../../src/containers/complete-transition.js';
import { beginJournal, findJournal, type JournalEntry } from '../../../src/containers/journal.js';
import { recoverContainer } from '../../../src/containers/recover.js';
import { uninstall } from '../../../src/containers/uninstall.js';
import { OperationalError } from '../../../src/errors/operational-error.js';
import { openOfflineUnitManager } from '../../../src/systemd/offline-unit-manager.js';
import { assertFails } from '../../support/assert-fails.js';
import { deploymentRecord } from '../../support/deployment-record.js';
import { folderHost, type FolderHost } from '../../support/folder-host.js';
import { runningManager } from '../../support/running-manager.js';
import { TempDir } from '../../support/temp-dir.js';

const UNIT = '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n';
const UNIT_PATH = '/etc/systemd/system/web.service';
const WANTS_PATH = '/etc/systemd/system/multi-user.target.wants/web.service';

const unitFile: DeployedFile = {
  role: 'unit',
  path: UNIT_PATH,
  kind: 'file',
  sha256: sha256Of(UNIT),
  mode: 0o644,
  source: 'web.service',
};

/** An install that was killed right after its commit point. */
async function killedInstall(
  host: FolderHost,
  enabled: readonly string[] = ['web.service'],
): Promise<JournalEntry> {
  const root = host.paths.root;
  const entry: JournalEntry = {
    operation: 'install',
    name: 'web',
    transitions: [
      {
        name: 'web',
        from: undefined,
        to: {
          number: 0,
          digest: undefined,
          files: [unitFile],
          units: ['web.service'],
          enabled,
          up: [],
          createdPaths: [],
        },
        builds: true,
        starts: false,
        dependents: [],
        rejected: undefined,
      },
    ],
    purge: false,
    keep: 1,
    watch: false,
  };
  mkdirSync(`${root}/var/lib/berth/web.0`, { recursive: true });
  writeFileSync(`${root}/var/lib/berth/web.0/web.service`, UNIT);
  symlinkSync('web.0', `${root}/var/lib/berth/web`);
  await beginJournal(host.paths, entry);
  return entry;
}

test('recoverContainer() finishes an install that was committed', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  await killedInstall(host);
  await recoverContainer(host, 'web');
  assert.equal(readFileSync(`${dir.path}${UNIT_PATH}`, 'utf8'), UNIT);
  assert.ok(lstatSync(`${dir.path}${WANTS_PATH}`).isSymbolicLink());
  assert.equal(await findJournal(host.paths, 'web'), undefined);
});

test('recoverContainer() takes an install back that cannot be finished: the name is not stuck for ever', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  await killedInstall(host);
  writeFileSync(`${dir.path}${UNIT_PATH}`, '[Service]\nExecStart=/bin/false\n');
  await recoverContainer(host, 'web');
  assert.ok(!existsSync(`${dir.path}/var/lib/berth/web`));
  assert.ok(!existsSync(`${dir.path}/var/lib/berth/web.0`));
  assert.match(readFileSync(`${dir.path}${UNIT_PATH}`, 'utf8'), /false/, 'it is not ours');
  assert.equal(await findJournal(host.paths, 'web'), undefined);
  assert.match(host.events.map(({ text }) => text).join('\n'), /cannot be finished/);
});

test('uninstall() finishes an uninstallation that was interrupted when the container was not installed any more', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  const [transition] = (await killedInstall(host)).transitions;
  assert.ok(transition !== undefined);
  await beginJournal(host.paths, {
    operation: 'uninstall',
    name: 'web',
    transitions: [{ ...transition, from: transition.to, to: undefined }],
    purge: false,
    keep: 0,
    watch: false,
  });
  unlinkSync(`${dir.path}/var/lib/berth/web`);
  const removed = await uninstall(host, 'web', { purge: false });
  assert.deepEqual(removed, { name: 'web', kept: [], saved: [], statePaths: [] });
  assert.ok(!existsSync(`${dir.path}/var/lib/berth/web.0`));
  assert.equal(await findJournal(host.paths, 'web'), undefined);
  await assertFails('CONTAINER_NOT_FOUND', () => uninstall(host, 'web', { purge: false }));
});

test('uninstall() writes no journal where the service manager has ended and its bus still lies there', async () => {
  using dir = new TempDir();
  await using installed = folderHost(dir.path);
  await killedInstall(installed);
  await recoverContainer(installed, 'web');
  const record = deploymentRecord({ name: 'web', files: [unitFile], units: ['web.service'] });
  writeFileSync(`${dir.path}/var/lib/berth/web.0/deployment.json`, formatDeployment(record));
  const gone = new OperationalError('SYSTEMD_UNAVAILABLE', 'lost the connection to the bus');
  await using host = folderHost(dir.path, {
    ...runningManager(dir.path, []),
    findSystemdVersion: () => Promise.reject(gone),
    stop: () => Promise.reject(gone),
  });
  await assertFails('SYSTEMD_UNAVAILABLE', () => uninstall(host, 'web', { purge: false }));
  assert.equal(await findJournal(host.paths, 'web'), undefined);
  assert.ok(existsSync(`${dir.path}/var/lib/berth/web.0`));
});

test('completeTransition() has systemd read a unit that is not to be enabled', async () => {
  using dir = new TempDir();
  const offline = openOfflineUnitManager({ root: dir.path });
  const asked: string[] = [];
  await using host = folderHost(dir.path, {
    kind: 'dbus',
    findSystemdVersion: () => Promise.resolve(257),
    findUnitFolders: () => offline.findUnitFolders(),
    findUnitFile: (unit) => offline.findUnitFile(unit),
    reload: () => {
      asked.push('reload');
      return Promise.resolve();
    },
    enable: (units) => {
      asked.push(`enable ${units.join(' ')}`);
      return Promise.resolve([]);
    },
    reenable: (units) => offline.reenable(units),
    disable: (units) => offline.disable(units),
    start: (unit, options) => offline.start(unit, options),
    stop: (unit, options) => offline.stop(unit, options),
    restart: (unit, options) => offline.restart(unit, options),
    kill: (unit) => offline.kill(unit),
    resetFailed: (unit) => offline.resetFailed(unit),
    getStates: (units) => offline.getStates(units),
    getSummaries: (findUnits) => offline.getSummaries(findUnits),
    findDependents: (unit) => offline.findDependents(unit),
    watchUnits: (units, onChange) => offline.watchUnits(units, onChange),
    getRelations: (unit) => offline.getRelations(unit),
    listInstances: () => offline.listInstances('x@.service'),
    createTmpfiles: (file) => offline.createTmpfiles(file),
    [Symbol.asyncDispose]: () => offline[Symbol.asyncDispose](),
  });
  await completeTransition(host, await killedInstall(host, []));
  assert.deepEqual(asked, ['reload']);
});
