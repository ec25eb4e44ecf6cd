import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';

import type { NodeMeta } from '../../../src/layer/tree.js';
import { applyMeta } from '../../../src/store/apply-meta.js';
import { StagedObjects, type StagePlace } from '../../../src/store/staged-objects.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;

function metaOf(mode: number, owner = 0): NodeMeta {
  return { mode, uid: owner, gid: owner, mtimeSeconds: 7, mtimeNanoseconds: 0, xattrs: [] };
}

/** A stage below a folder of the test's, with `objects/ab` and `objects/cd` beside it. */
class Stage implements Disposable {
  readonly #folder = new TempDir();
  readonly objects = `${this.#folder.path}/objects`;
  readonly temp = `${this.#folder.path}/temp`;
  readonly place: StagePlace;
  readonly staged: StagedObjects;

  constructor(options: { replace?: string[]; movesFolders?: boolean } = {}) {
    mkdirSync(this.temp, { mode: 0o700 });
    for (const folder of ['ab', 'cd'])
      mkdirSync(`${this.objects}/${folder}`, { recursive: true, mode: 0o700 });
    this.place = {
      tempFd: openSync(this.temp, DIRECTORY),
      tempPath: this.temp,
      objectsFd: openSync(this.objects, DIRECTORY),
      replace: new Set(options.replace),
      movesFolders: options.movesFolders ?? true,
    };
    this.staged = new StagedObjects(this.place);
  }

  /** Makes an object as a writer does; false where it was made before. */
  make(name: string, content: string): boolean {
    const file = this.staged.createAs(name, metaOf(0o644));
    if (file === undefined) return false;
    writeFileSync(file.fd, content);
    closeSync(file.fd);
    return true;
  }

  inode(name: string): number {
    return statSync(`${this.objects}/${name}`).ino;
  }

  read(name: string): string {
    return readFileSync(`${this.objects}/${name}`, 'utf8');
  }

  [Symbol.dispose](): void {
    closeSync(this.place.tempFd);
    closeSync(this.place.objectsFd);
    this.#folder[Symbol.dispose]();
  }
}

test('an object is made once, and is seen below objects/ when it is published, not before', () => {
  using stage = new Stage();
  assert.equal(stage.staged.has('ab/1'), false);
  assert.ok(stage.make('ab/1', 'one'));
  assert.equal(stage.make('ab/1', 'again'), false);
  const unnamed = ['two', 'two again'].map((content) => {
    const file = stage.staged.create(metaOf(0o644));
    writeFileSync(file.fd, content);
    closeSync(file.fd);
    return file;
  });
  for (const file of unnamed) stage.staged.name(file, 'cd/2');
  assert.ok(stage.staged.has('cd/2'));
  assert.deepEqual([...stage.staged].sort(), ['ab/1', 'cd/2']);
  assert.deepEqual(readdirSync(`${stage.objects}/ab`), []);
  stage.staged.publish();
  assert.equal(stage.read('ab/1'), 'one');
  assert.equal(stage.read('cd/2'), 'two');
  assert.deepEqual(readdirSync(stage.temp), [], 'something was left behind');
});

test('a folder moves as it is into the place of an empty one, and its files into one that is not', () => {
  using stage = new Stage();
  writeFileSync(`${stage.objects}/cd/0`, 'before');
  const [empty, full] = [stage.inode('ab'), stage.inode('cd')];
  for (const name of ['ab/1', 'ab/2', 'cd/1']) stage.make(name, name);
  stage.staged.publish();
  assert.notEqual(stage.inode('ab'), empty);
  assert.equal(stage.inode('cd'), full);
  assert.equal(statSync(`${stage.objects}/ab`).mode & 0o777, 0o700);
  assert.deepEqual(
    ['ab/1', 'ab/2', 'cd/0', 'cd/1'].map((name) => stage.read(name)),
    ['ab/1', 'ab/2', 'before', 'cd/1'],
  );
});

test('where folders must stay, files move one by one', () => {
  using stage = new Stage({ movesFolders: false });
  const before = stage.inode('ab');
  stage.make('ab/1', 'one');
  stage.staged.publish();
  assert.equal(stage.inode('ab'), before);
  assert.equal(stage.read('ab/1'), 'one');
});

test('what another berth published meanwhile stays, unless it is to be replaced', () => {
  using stage = new Stage({ replace: ['ab/2', 'cd/3'] });
  for (const name of ['ab/1', 'ab/2']) writeFileSync(`${stage.objects}/${name}`, 'theirs');
  mkdirSync(`${stage.objects}/cd/3/something`, { recursive: true });
  for (const name of ['ab/1', 'ab/2', 'cd/3']) stage.make(name, 'ours');
  stage.staged.publish();
  assert.equal(stage.read('ab/1'), 'theirs');
  assert.equal(stage.read('ab/2'), 'ours');
  assert.equal(stage.read('cd/3'), 'ours');
});

each(
  'a file comes to its owner and mode, whatever new files get',
  [
    { name: 'the usual umask', umask: 0o022, mode: 0o644, owner: 0, preset: [true, true] },
    { name: 'a mode beyond it', umask: 0o022, mode: 0o666, owner: 0, preset: [true, false] },
    { name: 'a strict umask', umask: 0o077, mode: 0o755, owner: 0, preset: [true, false] },
    { name: 'another owner', umask: 0o022, mode: 0o640, owner: 12, preset: [false, true] },
    { name: 'set-user-ID', umask: 0, mode: 0o4755, owner: 12, preset: [false, false] },
    { name: 'nobody may write', umask: 0o022, mode: 0o444, owner: 0, preset: [true, true] },
  ],
  ({ umask, mode, owner, preset }) => {
    using stage = new Stage();
    const before = process.umask(umask);
    try {
      const meta = metaOf(mode, owner);
      const file = stage.staged.createAs('ab/1', meta);
      assert.ok(file !== undefined);
      assert.deepEqual([file.preset.owner, file.preset.mode], preset);
      const during = statSync(`${stage.temp}/ab/1`);
      assert.equal(during.mode & 0o7000, 0, 'set-user-ID before it has its owner');
      applyMeta(file.fd, meta, file.preset);
      closeSync(file.fd);
      stage.staged.publish();
      const { uid, gid, mode: found } = statSync(`${stage.objects}/ab/1`);
      assert.deepEqual([uid, gid, found & 0o7777], [owner, owner, mode]);
    } finally {
      process.umask(before);
    }
  },
);

test('a folder that sets the group of what is made in it is no trap', () => {
  using stage = new Stage();
  applyMeta(stage.place.tempFd, { ...metaOf(0o2700), gid: 12 });
  const file = stage.staged.createAs('ab/1', metaOf(0o644));
  assert.ok(file !== undefined);
  assert.equal(file.preset.owner, false);
  applyMeta(file.fd, metaOf(0o644), file.preset);
  closeSync(file.fd);
  assert.equal(statSync(`${stage.temp}/ab/1`).gid, 0);
});
