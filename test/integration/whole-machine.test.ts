import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { onMachine } from '../support/on-machine.js';

test('a whole machine has cgroup controllers, and loses what was not synced when its plug is pulled', async () => {
  await onMachine({ suite: 'trixie' }, async (machine) => {
    const controllers = await machine.sh('cat /sys/fs/cgroup/cgroup.controllers');
    for (const controller of ['cpu', 'io', 'memory', 'pids']) {
      assert.ok(controllers.split(/\s+/).includes(controller), controllers);
    }
    assert.deepEqual(await machine.run('echo out; echo err >&2; exit 7'), {
      status: 7,
      signal: undefined,
      stdout: 'out\n',
      stderr: 'err\n',
    });

    await machine.sh('echo kept >/root/kept; sync /root/kept /root; echo lost >/root/lost');
    await machine.powerCut();
    await machine.checkDisk();
    await machine.withDisk((root) => {
      assert.ok(existsSync(join(root, 'root/kept')), 'a synced file was lost');
      assert.ok(
        !existsSync(join(root, 'root/lost')),
        'the power cut lost nothing: it proves nothing',
      );
      return Promise.resolve();
    });
    await machine.start();
    assert.equal(await machine.sh('cat /root/kept'), 'kept\n');
  });
});
