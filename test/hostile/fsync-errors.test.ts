import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';
import { runOk } from '../support/run-command.js';
import { TempDir } from '../support/temp-dir.js';
import { PROGRAM } from '../torture/program.js';
import { supervise, type Supervised } from '../torture/supervise.js';

/*
 * A sync that failed has told once that data is lost; the next one on the same file says that all is well, because the
 * kernel has forgotten (PostgreSQL's "fsyncgate" of 2018). So it is never asked again: the command fails, and what it was
 * about is thrown away.
 */

const SYNCS = ['fsync', 'fdatasync', 'syncfs', 'sync_file_range'];

/** Of each command at most so many, spread over its length. */
const TRIED = 5;

async function restore(from: string, to: string): Promise<void> {
  await runOk(['find', to, '-mindepth', '1', '-delete']);
  await runOk(['cp', '--archive', `${from}/.`, to]);
}

/** What was synced after a failure that was about the same file. */
function syncedAgain({ calls }: Supervised, failed: number): readonly string[] {
  const places = calls[failed - 1]?.places ?? [];
  return calls
    .slice(failed)
    .filter((call) => call.places.some((place) => isFile(place) && places.includes(place)))
    .map(({ call, places: [place] }) => `${call} ${place}`);
}

/** Folders, and the journal, are synced again for other changes in them; temporary names are of one file alone. */
function isFile(place: string): boolean {
  return /\.berth-tmp-|\/\.store\/(?:tmp|objects)\//.test(place);
}

test('an fsync that fails is not asked again and told as success', async (t) => {
  using tree = new BerthInTree();
  using saved = new TempDir();
  const exports = {
    'tmpfiles.template': 'd /var/lib/web 0700 0 0 - -\n',
    'hostfs/etc/web.conf': 'a=b\n',
  };
  const folders = [
    { path: 'exports/' },
    { path: 'exports/hostfs/' },
    { path: 'exports/hostfs/etc/' },
  ];
  const first = tree.makeImage('web', [...folders, { path: 'version', content: '1' }], exports);
  const next = tree.makeImage('next', [...folders, { path: 'version', content: '2' }], exports);
  const commands = [
    { args: ['install', '--name', 'web', first], prepare: () => Promise.resolve() },
    {
      args: ['update', '--rebase', next, 'web'],
      prepare: async () => {
        await tree.runOk('install', '--name', 'web', first);
      },
    },
  ];
  for (const { args, prepare } of commands) {
    await prepare();
    await restore(tree.path, saved.path);
    const supervised = (fail?: { from: number; to: number; errno: string }): Promise<Supervised> =>
      supervise([process.execPath, PROGRAM, '--root', tree.path, ...args], {
        roots: [tree.path],
        calls: SYNCS,
        ...(fail === undefined ? {} : { fail }),
      });
    const whole = await supervised();
    assert.equal(whole.status, 0, whole.stderr);
    assert.ok(whole.calls.length >= 10, `${whole.calls.length} syncs`);
    const step = Math.max(1, Math.floor(whole.calls.length / TRIED));
    for (let number = 1; number <= whole.calls.length; number += step) {
      const place = whole.calls[number - 1]?.places[0]?.slice(tree.path.length) ?? '';
      await t.test(`${args[0]}: ${number} of ${whole.calls.length}, ${place}`, async () => {
        await restore(saved.path, tree.path);
        const run = await supervised({ from: number, to: number, errno: 'EIO' });
        assert.equal(run.fired, 'failed');
        assert.deepEqual(syncedAgain(run, number), [], 'A LOST WRITE IS TAKEN FOR WRITTEN');
        // What is new was made durable before: only clearing up is left, and told so.
        const isTold = run.status !== 0 || /run 'berth --root \S+ recover'/.test(run.stderr);
        assert.ok(isTold, `it ended with ${run.status}: ${run.stderr}`);
        assert.match(run.stderr, /EIO|I\/O error|input\/output/i);
        await tree.runOk(...args);
        assert.equal(
          await tree.runOk('verify', 'web'),
          `web.${args[0] === 'update' ? 1 : 0}: as installed\n`,
        );
      });
    }
    await tree.runOk('uninstall', '--purge', 'web');
  }
});

test('the control: a program that asks again is told that all is well', async () => {
  using folder = new TempDir();
  const path = join(folder.path, '.berth-tmp-x');
  const script = `
    const { openSync, fsyncSync } = require('node:fs');
    const fd = openSync(process.argv[1], 'w');
    try { fsyncSync(fd) } catch { fsyncSync(fd) }`;
  writeFileSync(path, '');
  const run = await supervise([process.execPath, '--eval', script, path], {
    roots: [folder.path],
    calls: SYNCS,
    fail: { from: 1, to: 1, errno: 'EIO' },
  });
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(syncedAgain(run, 1), [`fsync ${path}`]);
});
