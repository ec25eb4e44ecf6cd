import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DEFAULT_TIMEOUTS } from '../../../src/registry/http-timeouts.js';
import { patienceOf } from '../../../src/registry/patience.js';
import { DEFAULT_RETRIES } from '../../../src/registry/retry.js';

test("patienceOf() is berth's own where nothing is said", () => {
  const said = { connectTimeoutMs: undefined, timeoutMs: undefined, retries: undefined };
  assert.deepEqual(patienceOf(said), { timeouts: DEFAULT_TIMEOUTS, retries: DEFAULT_RETRIES });
  assert.deepEqual(patienceOf({ connectTimeoutMs: 1000, timeoutMs: 5000, retries: 0 }), {
    timeouts: { connectMs: 1000, idleMs: 5000, headersMs: 10_000 },
    retries: { ...DEFAULT_RETRIES, attempts: 1 },
  });
});
