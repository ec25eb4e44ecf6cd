import { test } from 'node:test';

import { ownFile } from '../../../src/base/own-files.js';
import { runOk } from '../../support/run-command.js';
import { TempDir } from '../../support/temp-dir.js';

/*
 * Limits of the process, each met by one of its own: this one goes on to need threads and files.
 */

const STORE = ownFile('dist/src/store/embedded');

/** As much as starts the thread. */
const LARGE = 1e9;

/** Runs a module in a process that may have so many files open. */
async function runLimited(text: string): Promise<void> {
  const limit = 'ulimit -n 400; exec "$@"';
  const node = [process.execPath, '--input-type=module', '--eval', text];
  await runOk(['sh', '-c', limit, 'sh', ...node]);
}

/** Opens files until there is room for `free` more. */
const FILL = `
  import { closeSync, openSync } from 'node:fs';
  const opened = [];
  function fill(free) {
    try {
      for (;;) opened.push(openSync('/dev/null'));
    } catch (error) {
      assert.equal(error.code, 'EMFILE');
    }
    for (let count = 0; count < free; count += 1) closeSync(opened.pop());
  }
  function empty() {
    for (const fd of opened.splice(0)) closeSync(fd);
  }
`;

test('where no further thread is allowed, a layer is made without one', async () => {
  await runLimited(`
    import assert from 'node:assert/strict';
    import { execFileSync } from 'node:child_process';
    import { findObjectThread } from '${STORE}/object-thread.js';
    execFileSync('prlimit', ['--nproc=1', '--pid', String(process.pid)]);
    // Root is above this limit.
    if (process.getuid() === 0) process.setuid(64_321);
    assert.equal(findObjectThread(${LARGE}), undefined);
  `);
});

test('a thread that may open nothing says so to whoever asks', async () => {
  await runLimited(`
    import assert from 'node:assert/strict';
    import { findObjectThread } from '${STORE}/object-thread.js';
    ${FILL}
    fill(0);
    const thread = findObjectThread(${LARGE});
    const asked = thread.ask({ what: 'close', layer: thread.newLayer() });
    await assert.rejects(asked, { code: 'EMFILE', syscall: 'starting a thread' });
  `);
});

test('a layer that cannot be begun leaves nothing behind, whatever it was that could not be opened', async () => {
  using folder = new TempDir();
  await runLimited(`
    import assert from 'node:assert/strict';
    import { readdirSync } from 'node:fs';
    import { openEmbeddedStore } from '${STORE}/embedded-store.js';
    ${FILL}
    const diffId = 'sha256:' + 'a'.repeat(64);
    let failures = 0;
    for (let free = 0; ; free += 1) {
      const root = '${folder.path}/store' + free;
      const made = await openEmbeddedStore(root).beginLayer(diffId);
      await made[Symbol.asyncDispose]();
      const store = openEmbeddedStore(root);
      fill(free);
      const begun = await store.beginLayer(diffId).catch((error) => error);
      empty();
      if (!(begun instanceof Error)) {
        await begun[Symbol.asyncDispose]();
        break;
      }
      failures += 1;
      assert.match(begun.hint ?? begun.code, /ulimit -n|^EMFILE$/);
      assert.deepEqual(readdirSync(root + '/tmp'), [], 'with room for ' + free);
    }
    assert.ok(failures > 2, 'it began with room for ' + failures);
  `);
});
