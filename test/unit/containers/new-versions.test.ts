import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';

import { completeTransition } from '../../../src/containers/complete-transition.js';
import { formatDeployment, type DeployedFile } from '../../../src/containers/deployment.js';
import { executeTransition } from '../../../src/containers/execute-transition.js';
import { sha256Of } from '../../../src/containers/file-state.js';
import { beginJournal, type JournalEntry } from '../../../src/containers/journal.js';
import { newVersionsOf, placeNewVersions } from '../../../src/containers/new-versions.js';
import { planKeptFiles } from '../../../src/containers/plan-kept-files.js';
import { recoverContainer } from '../../../src/containers/recover.js';
import { sideOf, type TransitionSide } from '../../../src/containers/transition.js';
import { assertFails } from '../../support/assert-fails.js';
import { deploymentRecord } from '../../support/deployment-record.js';
import { each } from '../../support/each.js';
import { folderHost, type FolderHost } from '../../support/folder-host.js';
import { runningManager, type RunningManager } from '../../support/running-manager.js';
import { TempDir } from '../../support/temp-dir.js';

// What an image has for a host file that its administrator changed stands beside it, until it is no use any more.

const CONF = '/etc/web.conf';
const NEW = '/etc/web.conf.berth-new';

/** A container `web` with one host file, which has one of these texts in each of its deployments. */
class Scene implements AsyncDisposable {
  readonly host: FolderHost;
  readonly manager: RunningManager;
  readonly #dir = new TempDir();
  readonly #sides: readonly TransitionSide[];

  constructor(texts: readonly string[], path = CONF) {
    this.manager = runningManager(this.#dir.path, []);
    this.host = folderHost(this.#dir.path, this.manager);
    this.#sides = texts.map((text, number) => this.#deploy(number, path, text));
    mkdirSync(dirname(this.at(path)), { recursive: true });
    this.write(path, texts[0] ?? '');
    symlinkSync('web.0', this.at('/var/lib/berth/web'));
  }

  #deploy(number: number, path: string, text: string): TransitionSide {
    const folder = this.at(`/var/lib/berth/web.${number}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/conf`, text);
    const rest = { kind: 'file', sha256: sha256Of(text), mode: 0o640, source: 'conf' } as const;
    const files: DeployedFile[] = [{ role: 'host-file', path, ...rest }];
    const units = ['web.service'];
    const record = deploymentRecord({ name: 'web', number, files, units });
    const health = { ...record.health, soakMs: 20 };
    writeFileSync(`${folder}/deployment.json`, formatDeployment({ ...record, health }));
    return sideOf(record, []);
  }

  /** Another container, which has this host file. */
  deployOther(path: string, text: string): void {
    const folder = this.at('/var/lib/berth/shop.0');
    mkdirSync(folder, { recursive: true });
    const rest = { kind: 'file', sha256: sha256Of(text), mode: 0o640, source: 'conf' } as const;
    const files: DeployedFile[] = [{ role: 'host-file', path, ...rest }];
    const record = deploymentRecord({ name: 'shop', number: 0, files, units: ['shop.service'] });
    writeFileSync(`${folder}/deployment.json`, formatDeployment(record));
    symlinkSync('shop.0', this.at('/var/lib/berth/shop'));
  }

  at(path: string): string {
    return `${this.#dir.path}${path}`;
  }

  write(path: string, text: string): void {
    writeFileSync(this.at(path), text);
  }

  /** Of {@link CONF} and what stands beside it. */
  get texts(): readonly (string | undefined)[] {
    return [CONF, NEW].map((path) =>
      existsSync(this.at(path)) ? readFileSync(this.at(path), 'utf8') : undefined,
    );
  }

  entry(operation: JournalEntry['operation'], to: number | undefined, watch = false): JournalEntry {
    const from = Number(readlinkSync(this.at('/var/lib/berth/web')).slice('web.'.length));
    return {
      ...{ operation, name: 'web', purge: false, keep: 9, watch },
      transitions: [
        {
          ...{ name: 'web', from: this.#sides[from], builds: false, starts: watch },
          ...{
            to: to === undefined ? undefined : this.#sides[to],
            dependents: [],
            rejected: undefined,
          },
        },
      ],
    };
  }

  /** Gives what is said to stand beside kept files. What a plan says of an update has to come true. */
  async go(operation: JournalEntry['operation'], to?: number): Promise<readonly string[]> {
    const entry = this.entry(operation, to);
    const planned = operation === 'update' ? await this.#plan(entry) : undefined;
    const { kept, saved, newVersions } = await executeTransition(this.host, entry, []);
    if (planned !== undefined) assert.deepEqual(planned, { kept, saved, newVersions });
    return newVersions;
  }

  #plan({ name, transitions: [change] }: JournalEntry): ReturnType<typeof planKeptFiles> {
    const [from = [], to = []] = [change?.from?.files, change?.to?.files];
    return planKeptFiles(this.host, { name, from, to });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}

test('it follows the versions, goes with a way back, and with the container', async () => {
  await using scene = new Scene(['zero', 'one', 'two']);
  scene.write(CONF, 'mine');
  assert.deepEqual(await scene.go('update', 1), [NEW]);
  assert.deepEqual(scene.texts, ['mine', 'one']);
  assert.equal(lstatSync(scene.at(NEW)).mode & 0o7777, 0o640);
  assert.deepEqual(await scene.go('update', 2), [NEW]);
  assert.deepEqual(scene.texts, ['mine', 'two']);
  assert.deepEqual(await scene.go('rollback', 1), []);
  assert.deepEqual(scene.texts, ['mine', undefined]);
  await scene.go('update', 2);
  assert.deepEqual(scene.texts, ['mine', 'two']);
  await scene.go('uninstall');
  assert.deepEqual(scene.texts, ['mine', undefined]);
});

test('it stays while the image has the same, and is not made again where it was taken away', async () => {
  await using scene = new Scene(['zero', 'one', 'one', 'one', 'two']);
  scene.write(CONF, 'mine');
  await scene.go('update', 1);
  assert.deepEqual(await scene.go('update', 2), [NEW]);
  assert.deepEqual(scene.texts, ['mine', 'one']);
  rmSync(scene.at(NEW));
  assert.deepEqual(await scene.go('update', 3), []);
  assert.deepEqual(scene.texts, ['mine', undefined]);
  assert.deepEqual(await scene.go('update', 4), [NEW], 'there is something new again');
});

each<{ readonly name: string; readonly edit: (scene: Scene) => void; readonly want: unknown }>(
  'there is none',
  [
    { name: 'for a file as it was', edit: () => undefined, want: ['one', undefined] },
    {
      name: 'for a file that was taken over by hand',
      edit: (scene) => {
        scene.write(CONF, 'one');
      },
      want: ['one', undefined],
    },
    {
      name: 'for a file that was removed',
      edit: (scene) => {
        rmSync(scene.at(CONF));
      },
      want: [undefined, undefined],
    },
  ],
  async ({ edit, want }) => {
    await using scene = new Scene(['zero', 'one']);
    edit(scene);
    assert.deepEqual(await scene.go('update', 1), []);
    assert.deepEqual(scene.texts, want);
  },
);

test('once it was taken over it goes', async () => {
  await using scene = new Scene(['zero', 'one', 'two']);
  scene.write(CONF, 'mine');
  await scene.go('update', 1);
  scene.write(CONF, 'one');
  assert.deepEqual(await scene.go('update', 2), []);
  assert.deepEqual(scene.texts, ['two', undefined]);
});

test('H12 what somebody else has there, or made of it, stays', async () => {
  await using scene = new Scene(['zero', 'one', 'two']);
  scene.write(CONF, 'mine');
  scene.write(NEW, 'a note');
  assert.deepEqual(await scene.go('update', 1), []);
  assert.deepEqual(scene.texts, ['mine', 'a note']);
  rmSync(scene.at(NEW));
  scene.write('/etc/victim', 'untouched');
  symlinkSync('victim', scene.at(NEW));
  assert.deepEqual(await scene.go('update', 2), []);
  assert.equal(readlinkSync(scene.at(NEW)), 'victim');
  await scene.go('uninstall');
  assert.equal(readFileSync(scene.at('/etc/victim'), 'utf8'), 'untouched');
});

test('H13 what was made of it is told when its container goes, and stays', async () => {
  await using scene = new Scene(['zero', 'one']);
  scene.write(CONF, 'mine');
  await scene.go('update', 1);
  scene.write(NEW, 'merging');
  const { kept } = await completeTransition(scene.host, scene.entry('uninstall', undefined));
  assert.deepEqual([...kept].sort(), [CONF, NEW]);
  assert.deepEqual(scene.texts, ['mine', 'merging']);
});

test('H02 in a guarded place, where programs of root read whatever there is, nothing is put', async () => {
  const path = '/etc/logrotate.d/web';
  await using scene = new Scene(['zero', 'one'], path);
  scene.write(path, 'mine');
  assert.deepEqual(await scene.go('update', 1), []);
  assert.deepEqual(readdirSync(scene.at('/etc/logrotate.d')), ['web']);
});

test('H06 through a link that came on its way, as its own container may put one, nothing is put', async () => {
  const path = '/srv/web/conf.d/web.conf';
  await using scene = new Scene(['zero', 'one'], path);
  mkdirSync(scene.at('/etc/logrotate.d'), { recursive: true });
  scene.write('/etc/logrotate.d/web.conf', "the host's");
  rmSync(scene.at('/srv/web/conf.d'), { recursive: true });
  symlinkSync('../../etc/logrotate.d', scene.at('/srv/web/conf.d'));
  assert.deepEqual(await scene.go('update', 1), []);
  assert.deepEqual(readdirSync(scene.at('/etc/logrotate.d')), ['web.conf']);
});

test('H15 what another container has there stays, be it the same', async () => {
  await using scene = new Scene(['zero', 'one', 'two']);
  scene.write(CONF, 'mine');
  await scene.go('update', 1);
  scene.deployOther(NEW, 'one');
  await scene.go('update', 2);
  await scene.go('rollback', 0);
  assert.deepEqual(scene.texts, ['mine', 'one']);
});

test('H15 a file of the image that has that name is the one that stands there', () => {
  const rest = { kind: 'file', sha256: sha256Of('x'), mode: 0o644, source: 'x' } as const;
  const files = [CONF, NEW].map((path) => ({ role: 'host-file', path, ...rest }) as const);
  assert.deepEqual(
    newVersionsOf(files).map(({ path }) => path),
    [`${NEW}.berth-new`],
  );
});

test('it comes also where the command is interrupted once the new version is well', async () => {
  await using scene = new Scene(['zero', 'one']);
  scene.write(CONF, 'mine');
  const interrupted = { ...scene.host, signal: AbortSignal.abort() };
  assert.deepEqual(await placeNewVersions(interrupted, scene.entry('update', 1), [CONF]), [NEW]);
  assert.deepEqual(scene.texts, ['mine', 'one']);
});

test('a version that is not well leaves nothing, and what stood there stands there', async () => {
  await using scene = new Scene(['zero', 'one', 'two']);
  scene.write(CONF, 'mine');
  await scene.go('update', 1);
  scene.manager.failAfterStart = (): boolean => true;
  const entry = scene.entry('update', 2, true);
  await assertFails('UPDATE_UNHEALTHY', () => executeTransition(scene.host, entry, []));
  assert.deepEqual(scene.texts, ['mine', 'one']);
});

test('an update that was killed is finished with it, and leaves nothing half made', async () => {
  await using scene = new Scene(['zero', 'one']);
  scene.write(CONF, 'mine');
  await beginJournal(scene.host.paths, scene.entry('update', 1));
  rmSync(scene.at('/var/lib/berth/web'));
  symlinkSync('web.1', scene.at('/var/lib/berth/web'));
  scene.write('/etc/.berth-tmp-0123456789ab-web.conf.berth-new', 'o');
  await recoverContainer(scene.host, 'web');
  assert.deepEqual(scene.texts, ['mine', 'one']);
  const there = readdirSync(scene.at('/etc')).filter((name) => name.includes('web.conf'));
  assert.deepEqual(there.sort(), ['web.conf', 'web.conf.berth-new']);
});
