import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { CliContext } from '../../../src/cli/context.js';
import { forEachName } from '../../../src/cli/for-each-name.js';
import type { Host, HostEvent } from '../../../src/containers/host.js';
import type { ErrorCode } from '../../../src/errors/catalogue.js';
import { OperationalError } from '../../../src/errors/operational-error.js';
import { each } from '../../support/each.js';

interface Scene {
  readonly call: Parameters<typeof forEachName>[0];
  /** What was printed as errors, and as steps. */
  readonly said: { errors: string; steps: string };
}

function scene(gone?: readonly string[]): Scene {
  const said = { errors: '', steps: '' };
  const stderr = { write: (chunk: string) => (said.errors += chunk) };
  const context = { host: { env: {}, stderr } } as unknown as CliContext;
  const host = {
    signal: new AbortController().signal,
    onEvent: (event: HostEvent) => (said.steps += event.text),
  } as unknown as Host;
  const isGone = gone && ((name: string) => Promise.resolve(gone.includes(name)));
  return { call: { context, host, options: { user: true }, isGone }, said };
}

test("forEachName() goes on after a failure, whose hint names the user's commands", async () => {
  const { call, said } = scene();
  const outcome = await forEachName(call, ['a', 'b'], (name) =>
    name === 'a'
      ? Promise.reject(new OperationalError('USAGE', 'no a', { hint: "see 'berth list'" }))
      : Promise.resolve(name),
  );
  assert.deepEqual(outcome.results, ['b']);
  assert.match(said.errors, /^hint: see 'berth --user list'$/m);
  assert.throws(() => {
    outcome.end();
  });
});

each<{
  readonly name: string;
  readonly code: ErrorCode;
  readonly gone: readonly string[] | undefined;
  readonly isPassed: boolean;
}>(
  'forEachName() of what it found itself',
  [
    { name: 'passes over what is gone', code: 'CONTAINER_NOT_FOUND', gone: ['a'], isPassed: true },
    { name: 'passes over what just goes', code: 'BUSY', gone: ['a'], isPassed: true },
    { name: 'tells who is at work', code: 'BUSY', gone: [], isPassed: false },
    {
      name: 'tells of something else that is missing',
      code: 'CONTAINER_NOT_FOUND',
      gone: [],
      isPassed: false,
    },
    { name: 'tells what failed else', code: 'UPDATE_UNHEALTHY', gone: ['a'], isPassed: false },
    {
      name: 'tells of what somebody named',
      code: 'CONTAINER_NOT_FOUND',
      gone: undefined,
      isPassed: false,
    },
  ],
  async ({ code, gone, isPassed }) => {
    const { call, said } = scene(gone);
    const outcome = await forEachName(call, ['a', 'b'], (name) =>
      name === 'a' ? Promise.reject(new OperationalError(code, 'no a')) : Promise.resolve(name),
    );
    assert.deepEqual(outcome.results, ['b']);
    assert.equal(said.steps, isPassed ? 'a is not there any more, passing over it' : '');
    assert.equal(said.errors === '', isPassed, said.errors);
    const end = (): void => {
      outcome.end();
    };
    if (isPassed) end();
    else assert.throws(end);
  },
);
