import assert from 'node:assert/strict';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

import { runOk } from '../../support/run-command.js';
import { TempDir } from '../../support/temp-dir.js';

const child = fileURLToPath(new URL('../../support/leaking-ostree.js', import.meta.url));

/** What 10,000 turns may add: V8's own growth, a tenth of it. The smallest object kept in each turn would be 3 MB. */
const MAX_GROWTH_BYTES = 0.5 * 1024 * 1024;

for (const what of ['open', 'read', 'write', 'fail']) {
  test(`10,000 turns of "${what}" leave memory as it was`, async () => {
    using temp = new TempDir();
    const growth = await turns(what, temp);
    assert.ok(growth < MAX_GROWTH_BYTES, `memory in use grew by ${growth} bytes`);
  });
}

test('positive control: a reference that is kept shows', async () => {
  using temp = new TempDir();
  const growth = await turns('keep', temp);
  assert.ok(growth > MAX_GROWTH_BYTES, `memory in use grew by ${growth} bytes only`);
});

async function turns(what: string, temp: TempDir): Promise<number> {
  const path = join(temp.path, 'repo');
  // Threads of V8's own take and free a megabyte at any moment.
  const flags = ['--expose-gc', '--single-threaded'];
  return Number(await runOk([process.execPath, ...flags, child, what, path]));
}
