import assert from 'node:assert/strict';
import { test } from 'node:test';

import { waitUntil } from '../../support/wait-until.js';

test('waitUntil() gives what was found once it is there', async () => {
  let looks = 0;
  const found = await waitUntil('the third look', () =>
    ++looks < 3 ? undefined : `look ${looks}`,
  );
  assert.equal(found, 'look 3');
});

test('waitUntil() takes an assertion that fails as not yet', async () => {
  let looks = 0;
  await waitUntil('the third look', () => {
    assert.equal(++looks, 3);
    return true;
  });
  assert.equal(looks, 3);
});

test('waitUntil() says what did not come, and what was seen instead', async () => {
  await assert.rejects(
    waitUntil(
      'rain',
      () => {
        assert.equal('sun', 'rain', 'sun was seen');
        return true;
      },
      { timeoutMs: 30, everyMs: 5 },
    ),
    { message: /^rain did not come within 30 ms: sun was seen\b/ },
  );
});

test('waitUntil() does not go on over another error', async () => {
  let looks = 0;
  const look = (): never => {
    looks += 1;
    throw new TypeError('broken');
  };
  await assert.rejects(waitUntil('rain', look), { name: 'TypeError' });
  assert.equal(looks, 1);
});
