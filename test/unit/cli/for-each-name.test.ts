import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { CliContext } from '../../../src/cli/context.js';
import { forEachName } from '../../../src/cli/for-each-name.js';
import type { Host } from '../../../src/containers/host.js';
import { OperationalError } from '../../../src/errors/operational-error.js';

test("forEachName() goes on after a failure, whose hint names the user's commands", async () => {
  let text = '';
  const stderr = { write: (chunk: string) => (text += chunk) };
  const context = { host: { env: {}, stderr } } as unknown as CliContext;
  const host = { signal: new AbortController().signal } as unknown as Host;
  const call = { context, host, options: { user: true } };
  const outcome = await forEachName(call, ['a', 'b'], (name) =>
    name === 'a'
      ? Promise.reject(new OperationalError('USAGE', 'no a', { hint: "see 'berth list'" }))
      : Promise.resolve(name),
  );
  assert.deepEqual(outcome.results, ['b']);
  assert.match(text, /^hint: see 'berth --user list'$/m);
  assert.throws(() => {
    outcome.end();
  });
});
